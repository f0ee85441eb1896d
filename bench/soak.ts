/** Thousands of runs, and their effect on memory, open files, channels and the engine's disk. */
import { readdirSync, readFileSync } from 'node:fs';

import type { Deployment } from '../test/helpers/deployment.js';
import type { Bench, Figures } from './bench.js';
import { c, compileError, hello } from './programs.js';
import { processesCalled } from './processes.js';
import { runTimed } from './service.js';
import { processMiB } from './statistics.js';

const RUNS = Number(process.env.SOAK_RUNS ?? 3000);
const EVERY = 300;
const AT_A_TIME = 4;

/** Short, so that the first and the last sample see equally many unexpired replies. */
const REPLY_EXPIRY_MS = '20000';

/** One value of each kind at a moment. */
type Sample = Record<string, number>;

export const soak = (bench: Bench) =>
  bench.withAnother({ REPLY_EXPIRY_MS }, 1, async (service): Promise<Figures> => {
    const known = [hello(), c(), compileError()];
    const samples: Sample[] = [];
    for (let done = 0; done < RUNS;) {
      await Promise.all(
        Array.from({ length: AT_A_TIME }, async () => {
          // Seven of ten programs were built before, as on a page of examples.
          for (let i = 0; i < EVERY / AT_A_TIME; i++)
            await runTimed(service, i % 10 < 7 ? (known[i % 3] ?? c()) : c(), 20);
        }),
      );
      done += EVERY;
      await bench.rest();
      samples.push(await look(bench, service));
      console.log(
        `${done} runs: ${Object.entries(samples.at(-1) ?? {})
          .map(([name, value]) => `${name} ${value}`)
          .join(', ')}`,
      );
    }
    const [first = {}, last = {}] = [samples[0], samples.at(-1)];
    const growth = Object.keys(first).map((name) => `${name} ${first[name]} -> ${last[name]}`);
    return {
      service: Math.max(...['widget MiB', 'worker MiB'].map((name) => (last[name] ?? NaN) / (first[name] ?? NaN))),
      unit: '',
      samples: RUNS,
      note: growth.join(', '),
    };
  });

async function look(bench: Bench, service: Deployment): Promise<Sample> {
  const [widget = 0] = service.widgets.map(({ process: child }) => child.pid);
  const [worker = 0] = service.workers.map(({ pid }) => pid);
  const [beam, dockerd] = [processesCalled(/^beam\.smp$/).at(-1), processesCalled(/^dockerd$/).at(-1)];
  const engine = '/var/lib/docker';
  return {
    'widget MiB': Math.round(processMiB(widget)),
    'worker MiB': Math.round(processMiB(worker)),
    'broker MiB': beam === undefined ? NaN : Math.round(processMiB(beam)),
    'engine MiB': dockerd === undefined ? NaN : Math.round(processMiB(dockerd)),
    'widget files': readdirSync(`/proc/${widget}/fd`).length,
    'worker files': readdirSync(`/proc/${worker}/fd`).length,
    'broker files': beam === undefined ? NaN : readdirSync(`/proc/${beam}/fd`).length,
    channels: await bench.channels(),
    'engine folders': ['containers', 'overlay2'].reduce(
      (sum, name) => sum + readdirSync(`${engine}/${name}`).length,
      0,
    ),
    mounts: readFileSync('/proc/self/mounts', 'latin1').split('\n').length,
  };
}
