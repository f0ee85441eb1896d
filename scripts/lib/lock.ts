import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Problem } from './report.js';

const WORTH_SAYING_MS = 1_000;

/**
 * Does `work` while no other process on this machine holds the lock on `file`.
 *
 * The lock is the kernel's (flock), held by a helper that lives only as long as our end of its
 * stdin is open. So it is free at once when this process dies, however it dies: there are no stale
 * locks to find out about, which is where locks made of files and folders go wrong.
 *
 * @param waiting called when somebody else has held the lock for a second
 */
export async function withLock<T>(file: string, work: () => Promise<T>, waiting?: () => void): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  // Detached: a Ctrl-C at the terminal must not take the lock from under the work.
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const ended = once(holder, 'close');
  const refused = ended.then(
    () => Promise.reject(new Problem(`The lock ${file} cannot be had.`)),
    () => Promise.reject(new Problem('The command flock is missing: install util-linux.')),
  );
  // One that waits for somebody else's lock does not look at its stdin.
  const letGo = () => void holder.kill();
  process.once('exit', letGo);
  refused.catch(() => {}); // Heard below while waiting; later the helper ends because we say so.

  const patience = new AbortController();
  if (waiting) sleep(WORTH_SAYING_MS, undefined, { signal: patience.signal }).then(waiting, () => {});
  try {
    await Promise.race([once(holder.stdout, 'data'), refused]).finally(() => patience.abort());
    return await work();
  } finally {
    process.off('exit', letGo);
    holder.stdin.end();
    await ended.catch(() => {});
  }
}
