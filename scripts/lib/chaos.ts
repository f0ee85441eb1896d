import { join } from 'node:path';

import { exitOf, type Instance } from './instance.js';
import type { Counts } from './jest.js';
import { checkout } from './paths.js';

/** A small one of what `npm run test:chaos` does with thousands, and with any seed; it counts as one test. */
const ARGUMENTS = ['--tasks', '200', '--seed', '1', '--sabotage'];

/** Faults in a deployment under load, and builds that it has to find fault with; on a broker and an engine of its own. */
export async function runChaos(instance: Instance): Promise<Counts> {
  const main = join(checkout, 'test', 'chaos', 'main.ts');
  const args = ['--import', 'tsx', '--conditions=source', main, ...ARGUMENTS];
  const status = await exitOf(instance.start('tool', process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] }));
  return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}
