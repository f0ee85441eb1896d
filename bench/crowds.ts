/**
 * Throughput of deployments of several sizes, and the effect of one client's flood on another: for
 * docs/operations.md.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { collect, post } from '../test/helpers/client.js';
import type { Bench, Figures } from './bench.js';
import { c, hello, type Program } from './programs.js';
import { runTimed } from './service.js';
import { median, quantile } from './statistics.js';

const SIZES = [
  { workers: 1, concurrency: 1 },
  { workers: 1, concurrency: 2 },
  { workers: 2, concurrency: 2 },
  { workers: 2, concurrency: 4 },
];
const FOR_MS = 40_000;
/** Number of clients per worker slot; each always has a program running or waiting. */
const CLIENTS_PER_SLOT = 2;

/** Programs per minute and their duration for each size; the figure is the best rate with new sources. */
export async function sizing(bench: Bench): Promise<Figures> {
  const known = Array.from({ length: 7 }, () => hello());
  const loads: Record<string, (n: number) => ReturnType<Program>> = {
    'never seen': () => hello(),
    '7 of 10 seen': (n) => known[n % 10] ?? hello(),
  };
  const rates: number[] = [];
  for (const { workers, concurrency } of SIZES) {
    await bench.withAnother({ CONCURRENCY: String(concurrency) }, workers, async (service) => {
      for (const each of known) await runTimed(service, each, 250);
      for (const [name, pick] of Object.entries(loads)) {
        await bench.rest();
        const tookMs: number[] = [];
        const begin = performance.now();
        let next = 0;
        const client = async () => {
          while (performance.now() - begin < FOR_MS)
            tookMs.push((await runTimed(service, pick(next++), 250)).completedMs);
        };
        await Promise.all(Array.from({ length: CLIENTS_PER_SLOT * workers * concurrency }, client));
        const perMinute = (tookMs.length / (performance.now() - begin)) * 60_000;
        if (name === 'never seen') rates.push(perMinute);
        console.log(
          `| ${name} | ${perMinute.toFixed(0)} | ${workers} x ${concurrency} | ${CLIENTS_PER_SLOT * workers * concurrency} | ${median(tookMs).toFixed(0)} | ${quantile(tookMs, 0.95).toFixed(0)} |`,
        );
      }
    });
  }
  return { service: Math.max(...rates), unit: 'programs a minute', samples: rates.length };
}

const FLOODING = { 'x-forwarded-for': '198.51.100.1' };
const OTHER = { 'x-forwarded-for': '198.51.100.2' };

/** Time of one client's program during another client's flood, compared to the time alone, in ms. */
export const fairness = (bench: Bench) =>
  bench.withAnother({ TRUSTED_PROXIES: '1', WAITING_TASKS_OF_CLIENT: '40' }, 1, async (service): Promise<Figures> => {
    const [base = ''] = service.widgets.map((widget) => widget.base);
    const run = async () => {
      const begin = performance.now();
      const { status, body } = await post(base, '/run_program/', { name: 'Demo', switches: {}, ...hello() }, OTHER);
      if (status !== 200) throw new Error(`the other client was refused: ${status}`);
      await collect(base, (body as { identifier: string }).identifier, { pollMs: 250 });
      return performance.now() - begin;
    };
    const times = async (count: number) => {
      const ms: number[] = [];
      while (ms.length < count) ms.push(await run());
      return ms;
    };
    await run();
    const alone = await times(5);
    let [accepted, refused, ended] = [0, 0, false];
    const flood = async () => {
      while (!ended) {
        const { status } = await post(base, '/run_program/', { name: 'Demo', switches: {}, ...c() }, FLOODING);
        if (status === 200) accepted++;
        else refused++;
        if (status !== 200) await sleep(200);
      }
    };
    const flooding = Promise.all([flood(), flood(), flood()]);
    await sleep(10_000);
    const beside = await times(5);
    ended = true;
    await flooding;
    const note = `of the other client ${accepted} were accepted, ${refused} refused (429); the slowest of ours ${Math.max(...beside).toFixed(0)} ms`;
    return { service: median(beside), shell: median(alone), unit: 'ms', samples: beside.length, note };
  });
