import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The root of this checkout. */
export const checkout = join(import.meta.dirname, '..', '..');

/** What the two commands keep in this checkout: a folder for each of their runs. */
export const stateRoot = join(checkout, '.state');

/** Short, and different in each checkout on this machine. */
export const checkoutId = createHash('sha256').update(checkout).digest('hex').slice(0, 8);

/**
 * What all checkouts on this machine share: the engine that one of them started, and locks. On a
 * tmpfs where there is one, since none of it outlives a boot. A user who is not root never starts
 * an engine, and has locks of his own.
 */
export const machineFolder =
  process.getuid?.() === 0
    ? '/run/code-widgets'
    : join(process.env.XDG_RUNTIME_DIR || tmpdir(), `code-widgets-${process.getuid?.() ?? 0}`);
