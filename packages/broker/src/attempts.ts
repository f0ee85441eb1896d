/**
 * The state machine of a task's attempts, and what the next worker does with the task. Pure.
 *
 * The number of an attempt is the number of the broker's delivery. Workers note when an attempt begins and when it
 * is returned (attempt-log.ts). The begin of the first attempt is not noted, so a task that succeeds at once leaves
 * no note.
 *
 *   state      means                                            left by
 *   waiting    a worker has the task and has not begun          begun: running
 *   running    a worker has begun                               returned: returned; a later delivery: lost
 *   returned   requeued through no fault of the task            -
 *   lost       the worker died, or the attempt failed           returned: returned
 *
 * A lost attempt can become returned: a worker whose connection broke notes the return as soon as it can.
 */
import type { AttemptNote } from '@code-widgets/protocol';

/** A task is given up after this many lost attempts. */
export const MAX_ATTEMPTS = 3;
/** Maximum number of starts, whatever the reason for each requeue. */
export const MAX_STARTS = 10;
/** The broker dead-letters a task after this many deliveries. A network failure costs one for each dead connection. */
export const DELIVERY_LIMIT = 100;

/** Waiting attempts are not stored, because nothing depends on them. */
type AttemptState = 'running' | 'returned' | 'lost';
export type Attempts = ReadonlyMap<number, AttemptState>;

export const FIRST_ATTEMPT: Attempts = new Map([[1, 'running']]);

export interface AttemptEvent {
  attempt: number;
  event: AttemptNote['event'] | 'delivered';
}

export function reduceAttempts(attempts: Attempts, { attempt, event }: AttemptEvent): Attempts {
  const next = new Map(attempts);
  if (event === 'returned') return attempts.has(attempt) ? next.set(attempt, 'returned') : next;
  for (const [earlier, state] of attempts) if (earlier < attempt && state === 'running') next.set(earlier, 'lost');
  return event === 'begun' ? next.set(attempt, 'running') : next;
}

/** `run-alone`: the worker runs no other task meanwhile. */
export type AttemptDecision = 'run' | 'run-alone' | 'give-up';

export function decideAttempt(attempts: Attempts, attempt: number): AttemptDecision {
  const lost = [...attempts.values()].filter((state) => state === 'lost').length;
  // Give up at the last delivery: after it the broker dead-letters the task, and no worker can tell the user.
  if (lost >= MAX_ATTEMPTS || attempts.size >= MAX_STARTS || attempt > DELIVERY_LIMIT) return 'give-up';
  // During the last attempt, another task could crash the worker, or be hit by its crash.
  return lost === MAX_ATTEMPTS - 1 ? 'run-alone' : 'run';
}

/**
 * Number of the delivery, from 1. x-acquired-count (RabbitMQ 4.3 on) counts deliveries; before, x-delivery-count counts
 * requeues.
 */
export function attemptOf(headers: Record<string, unknown> | undefined): number {
  const count = headers?.['x-acquired-count'] ?? headers?.['x-delivery-count'];
  // Untrusted: a publisher may have set any value.
  return 1 + (typeof count === 'number' && Number.isSafeInteger(count) && count > 0 ? count : 0);
}
