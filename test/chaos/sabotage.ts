/** Workers that each break a guarantee, which the chaos run must detect. */
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { build } from 'esbuild';

import { bundleOptions } from '../../build/bundle-options.mjs';
import type { ChaosResult } from './run.js';
import type { ScheduledFault } from './schedule.js';

export type SabotageName = 'early acknowledgement' | 'two final messages' | 'containers stay';

export interface Sabotage {
  readonly name: SabotageName;
  readonly tasks: number;
  readonly faults: () => Iterator<ScheduledFault, unknown>;
  /** The verdict's list that must report it. */
  readonly shows: 'lost' | 'doubled' | 'leaked';
}

const noFaults = () => ([] as ScheduledFault[]).values();

function* kills(): Generator<ScheduledFault, never> {
  for (let victim = 0; ; victim++) yield { name: 'worker SIGKILL', afterMs: 1_000, victim };
}

export const SABOTAGES: readonly Sabotage[] = [
  // Enough for several kills, since a killed worker may have no task.
  { name: 'early acknowledgement', tasks: 24, faults: kills, shows: 'lost' },
  { name: 'two final messages', tasks: 4, faults: noFaults, shows: 'doubled' },
  { name: 'containers stay', tasks: 4, faults: noFaults, shows: 'leaked' },
];

export const isCaught = ({ shows }: Sabotage, result: ChaosResult): boolean => result[shows].length > 0;

/** Builds the apps of `checkout` with sabotaged-worker.ts as the worker; resolves to their root. */
export async function sabotagedBuild({ name }: Sabotage, checkout: string, folder: string): Promise<string> {
  for (const app of ['widget', 'worker']) {
    for (const part of ['dist/bundle', 'package.json'])
      cpSync(join(checkout, 'apps', app, part), join(folder, 'apps', app, part), { recursive: true });
  }
  const outfile = join(folder, 'apps/worker/dist/bundle/main.js');
  mkdirSync(join(folder, 'apps/worker/dist/bundle'), { recursive: true });
  await build({
    ...bundleOptions,
    write: true,
    entryPoints: [join(import.meta.dirname, 'sabotaged-worker.ts')],
    outfile,
    define: { 'process.env.SABOTAGE': JSON.stringify(name) },
  });
  return folder;
}
