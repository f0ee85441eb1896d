import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Problem } from './report.js';

/** The root of this checkout. */
export const checkout = join(import.meta.dirname, '..', '..');

/** The state folder of this checkout, with a folder for each run. */
export const stateRoot = join(checkout, '.state');

/** Short, and different in each checkout on this machine. */
export const checkoutId = createHash('sha256').update(checkout).digest('hex').slice(0, 8);

/**
 * A folder for locks that all checkouts of a user on this machine share.
 *
 * @throws Problem if another user has created the folder, who could then redirect our files
 */
export function machineFolder(): string {
  const uid = process.getuid?.() ?? 0;
  const folder =
    uid === 0 && process.platform === 'linux' ? '/run/code-widgets' : join(tmpdir(), `code-widgets-locks-${uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const found = lstatSync(folder);
  if (found.isDirectory() && found.uid === uid && (found.mode & 0o022) === 0) return folder;
  throw new Problem(`${folder} belongs to somebody else: remove it, or set TMPDIR to another folder.`);
}
