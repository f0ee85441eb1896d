import type { Socket } from 'node:net';

/**
 * Makes one connection of two: what comes on either goes out of the other, and the end of either is
 * the end of both. pipe() alone reads no more of a socket once the one that it writes to has broken,
 * and so never hears of its end.
 */
export function joinSockets(one: Socket, other: Socket): void {
  for (const [from, to] of [[one, other], [other, one]] as const) {
    // A test that has failed and closed nothing must not keep the run from ending.
    from.unref().on('error', () => undefined).on('close', () => to.destroySoon()).pipe(to);
  }
}
