/** Measures single and concurrent programs. Service and shell alternate, so that both run under the same conditions. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { environment } from '../test/helpers/environment.js';
import type { Deployment } from '../test/helpers/deployment.js';
import type { Bench, Figures } from './bench.js';
import { hello, output as outputProgram, type Program } from './programs.js';
import { runTimed, type Seen } from './service.js';
import { Shell } from './shell.js';
import { machineSeconds, median, timed } from './statistics.js';

const SAMPLES = 15;
const FAST_MS = 20;

export interface LatencyOptions {
  readonly program: Program;
  readonly pollMs: number;
  readonly until?: 'completedMs' | 'firstByteMs';
  /** What the shell runs after its build. */
  readonly runs?: readonly string[];
  /** The service has built the same sources before; the shell builds in a clean folder. */
  readonly again?: boolean;
  /** What the shell builds and runs, if it differs. */
  readonly against?: Program;
  /** Uses an image with a stand-in for gnatprove. */
  readonly standIn?: boolean;
}

export function latency({
  program,
  pollMs,
  until = 'completedMs',
  runs,
  again = false,
  against = program,
  standIn = false,
}: LatencyOptions) {
  return async (bench: Bench): Promise<Figures> => {
    if (!standIn) return measure(bench, bench.service);
    return bench.withAnother({ SANDBOX_IMAGE: await bench.imageWithStandIn() }, 1, (service) =>
      measure(bench, service),
    );
  };

  async function measure(bench: Bench, service: Deployment): Promise<Figures> {
    const { shell } = bench;
    const seen: Seen[] = [];
    const typed: number[] = [];
    const known = program();
    await runTimed(service, known, pollMs);
    for (let i = 0; i < SAMPLES; i++) {
      await bench.rest();
      seen.push(await runTimed(service, again ? known : program(), pollMs));
      const folder = await shell.lay(against());
      await bench.rest();
      typed.push(await shell.buildAndRun(folder, runs));
    }
    const polls = `${median(seen.map((each) => each.polls))} polls`;
    // Both may be in one answer, since the end follows the first output closely.
    const inOne = seen.filter(({ completedMs, firstByteMs }) => completedMs - firstByteMs < 1).length;
    const note = until === 'firstByteMs' ? `${polls}; ${inOne} of ${SAMPLES} had the end in the same answer` : polls;
    return {
      service: median(seen.map((each) => each[until])),
      shell: median(typed),
      unit: 'ms',
      samples: SAMPLES,
      note,
    };
  }
}

/** Runs `work` with `clients` at a time. */
export async function inTurns(count: number, clients: number, work: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

/** Programs per second of the service with `clients`, and of two shells in parallel. */
async function rates(
  bench: Bench,
  count: number,
  clients: number,
  pick: (n: number) => ReturnType<Program>,
): Promise<Figures> {
  const other = await Shell.open(environment('SANDBOX_IMAGE'));
  const shells = [bench.shell, other];
  const rate = { service: [] as number[], shell: [] as number[] };
  for (let round = 0; round < 3; round++) {
    await bench.rest();
    const served = await timed(() => inTurns(count, clients, (n) => runTimed(bench.service, pick(n), FAST_MS)));
    rate.service.push((count / served) * 1000);
    const folders = await Promise.all(
      shells.map(async (shell) => {
        const laid: string[] = [];
        while (laid.length < count / 2) laid.push(await shell.lay(hello()));
        return laid;
      }),
    );
    await bench.rest();
    const typed = await timed(() =>
      Promise.all(
        shells.map(async (shell, i) => {
          for (const folder of folders[i] ?? []) await shell.buildAndRun(folder);
        }),
      ),
    );
    rate.shell.push((count / typed) * 1000);
  }
  await other.close();
  return { service: median(rate.service), shell: median(rate.shell), unit: 'runs/s', samples: 3 * count };
}

export const throughput = (bench: Bench) => rates(bench, 40, 8, () => hello());

export async function mixed(bench: Bench): Promise<Figures> {
  const known = Array.from({ length: 7 }, () => hello());
  for (const each of known) await runTimed(bench.service, each, FAST_MS);
  return rates(bench, 40, 8, (n) => known[n % 10] ?? hello());
}

export async function burst(bench: Bench): Promise<Figures> {
  const { service, shell, samples } = await rates(bench, 40, 40, () => hello());
  return { service: 40_000 / service, shell: 40_000 / (shell ?? NaN), unit: 'ms', samples };
}

/** Processor time of the whole machine for sequential runs, including the creation and removal of containers. */
export async function cpu(bench: Bench): Promise<Figures> {
  const runs = 5;
  const spent = async (work: () => Promise<unknown>) => {
    await bench.rest();
    const [before, idleBefore] = [machineSeconds(), performance.now()];
    await work();
    await sleep(3000);
    const busy = machineSeconds() - before;
    const seconds = (performance.now() - idleBefore) / 1000;
    // Subtracts the base load of the machine, including idle services.
    const base = machineSeconds();
    await sleep(3000);
    return (busy - ((machineSeconds() - base) / 3) * seconds) / runs;
  };
  const [service, shell]: [number[], number[]] = [[], []];
  for (let round = 0; round < 5; round++) {
    service.push(await spent(() => inTurns(runs, 1, () => runTimed(bench.service, hello(), FAST_MS))));
    const folders: string[] = [];
    while (folders.length < runs) folders.push(await bench.shell.lay(hello()));
    shell.push(
      await spent(async () => {
        for (const folder of folders) await bench.shell.buildAndRun(folder);
      }),
    );
  }
  return { service: median(service), shell: median(shell), unit: 's', samples: 5 * runs };
}

export async function output(bench: Bench): Promise<Figures> {
  const { service, shell } = bench;
  const program = outputProgram();
  await runTimed(service, program, FAST_MS);
  const folder = await shell.lay(program);
  await shell.run(`cd ${folder} && gprbuild -q -P main.gpr; cd /bench`);
  const served: number[] = [];
  const executed: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    await bench.rest();
    served.push((await runTimed(service, program, FAST_MS)).completedMs);
    await bench.rest();
    executed.push(await timed(() => shell.executeIntoFile(`${folder}/main`, join(bench.folder, 'output'))));
  }
  return { service: median(served), shell: median(executed), unit: 'ms', samples: SAMPLES };
}
