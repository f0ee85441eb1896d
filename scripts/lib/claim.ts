import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { BROKER_STAGES, endInOrder, Instance, instanceFolder, PROGRAM_STAGES, readRecord } from './instance.js';
import { withLock } from './lock.js';
import { stateRoot } from './paths.js';
import { hasEnded, isAlive } from './processes.js';
import { Problem, timed } from './report.js';
import { testRunOf } from './test-run.js';

/** In which a stop is over. */
const STOP_MS = 15_000;

export interface Claim {
  readonly instance: Instance;
  /** Namespaces of commands that were killed, whose containers may still be in the engine. */
  readonly abandoned: readonly string[];
}

/**
 * Makes the instance of this process, after cleaning up behind the commands of this checkout that
 * were killed.
 *
 * @throws Problem when an instance of that name is running
 */
export async function claim(name: string, namespace: string, marks: NodeJS.ProcessEnv = {}): Promise<Claim> {
  // One at a time, so that nobody takes the record that another has just written for a dead one's.
  return withLock(join(stateRoot, 'instances.lock'), async () => {
    const present = readRecord(instanceFolder(name));
    if (present?.stopping) await hasEnded(present.supervisor, STOP_MS);
    if (present && isAlive(present.supervisor)) {
      const { pid } = present.supervisor;
      throw new Problem(`npm ${name} is already running in this checkout: stop it first (Ctrl-C there, or kill ${pid}).`);
    }
    const abandoned = await reclaim();
    return { instance: new Instance(name, namespace, marks), abandoned };
  });
}

/**
 * Ends and removes what killed commands have left: only what their records name, and each process
 * only while it is the very one that was recorded.
 */
async function reclaim(): Promise<string[]> {
  const abandoned: string[] = [];
  for (const name of readdirSync(stateRoot)) {
    const folder = instanceFolder(name);
    const record = readRecord(folder);
    if (!record || isAlive(record.supervisor)) continue;
    const alive = record.processes.filter(isAlive);
    await timed(
      'clean-up',
      () => endInOrder(alive, [...PROGRAM_STAGES, ...BROKER_STAGES]),
      () => `npm ${name} had been killed: ended ${alive.length} processes that it left`,
    );
    // Of `npm start`, what its broker holds is kept: those tasks were accepted.
    await testRunOf(name)?.remove();
    rmSync(join(folder, 'processes.json'), { force: true });
    abandoned.push(record.namespace);
  }
  return abandoned;
}
