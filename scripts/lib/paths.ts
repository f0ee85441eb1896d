import { createHash } from 'node:crypto';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** The root of this checkout. */
export const checkout = join(import.meta.dirname, '..', '..');

/** What the commands keep in this checkout: a folder for each of their runs. */
export const stateRoot = join(checkout, '.state');

/** Short, and different in each checkout on this machine. */
export const checkoutId = createHash('sha256').update(checkout).digest('hex').slice(0, 8);

/** Locks that all checkouts of a user on this machine share. */
export const machineFolder = join(tmpdir(), `code-widgets-locks-${userInfo().uid}`);
