/**
 * What became of a task's attempts, and so what the next worker does with the task. Pure.
 *
 * A delivery is the broker's: it hands the task to a worker. The number of the delivery is the number
 * of the attempt. Workers note when an attempt begins and when it is returned (attempt-log.ts), except
 * for the begin of the first attempt: a task that succeeds at once leaves no note.
 *
 *   state      means                                            left by
 *   waiting    a worker has the task and has not begun          begun: running
 *   running    a worker has begun                               returned: returned; a later delivery: lost
 *   returned   requeued through no fault of the task            -
 *   lost       the worker died, or the attempt failed           returned: returned
 *
 * A task ends when it is acknowledged or dead-lettered. Both take it out of the task queue, so neither
 * is a state here. An attempt can be returned after it was taken for lost: a worker whose connection
 * broke notes it as soon as it can.
 */
import type { AttemptNote } from '@code-widgets/protocol';

/** A task is given up after this many lost attempts. */
export const MAX_ATTEMPTS = 3;
/** Maximum number of starts, whatever the reason for each requeue. */
export const MAX_STARTS = 10;
/**
 * The broker dead-letters a task after this many deliveries. When a network fails, it hands a task
 * from one dead connection to the next, and counts each: so the limit is far above the others.
 */
export const DELIVERY_LIMIT = 100;

/** Waiting attempts are not kept: nothing depends on them. */
type AttemptState = 'running' | 'returned' | 'lost';
/** The attempts that have begun, by number. */
export type Attempts = ReadonlyMap<number, AttemptState>;

/** Before the first note: the begin of the first attempt is not noted. */
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

/** `run-alone`: beside no other task of the worker. */
export type AttemptDecision = 'run' | 'run-alone' | 'give-up';

/** What to do with a task whose attempt `attempt` was delivered. */
export function decideAttempt(attempts: Attempts, attempt: number): AttemptDecision {
  const lost = [...attempts.values()].filter((state) => state === 'lost').length;
  // After the last delivery there is no other chance to tell the user.
  if (lost >= MAX_ATTEMPTS || attempts.size >= MAX_STARTS || attempt > DELIVERY_LIMIT) return 'give-up';
  // The last attempt must not fail because of another task that crashes the worker, nor crash another.
  return lost === MAX_ATTEMPTS - 1 ? 'run-alone' : 'run';
}

/**
 * 1, or one more than how often the message was delivered before. A quorum queue counts in a header:
 * every delivery in x-acquired-count from RabbitMQ 4.3 on; before, requeued ones in x-delivery-count.
 */
export function attemptOf(headers: Record<string, unknown> | undefined): number {
  const count = headers?.['x-acquired-count'] ?? headers?.['x-delivery-count'];
  // A publisher may have set any value.
  return 1 + (typeof count === 'number' && Number.isSafeInteger(count) && count > 0 ? count : 0);
}
