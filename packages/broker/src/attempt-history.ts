/** What became of a task's attempts before this one, as far as it matters to whoever has it now. */
import type { Broker } from './connection.js';
import { ReplyQueueGone } from './queue-availability.js';
import { readReplies, ReplyQueueBusy } from './reply-reader.js';
import { DELIVERY_LIMIT, MAX_BEGINNINGS } from './topology.js';

/** For whoever holds the queue. */
const PATIENCE_MS = 60_000;

export interface AttemptHistory {
  /** How many ended with the loss of their worker, and not with the task given back in good order; all, once they were too many in any case. */
  lost: number;
  /** How the task has ended already, in an attempt that could not be acknowledged any more. */
  ended?: 'SUCCESS' | 'FAILURE';
}

/**
 * The broker counts only how often a task was handed out, to a connection that was about to break as
 * well. Who began it, gave it back in good order or ended it has left word in its reply queue. Rejects with
 * ReplyQueueBusy or BrokerUnavailable once `signal` is aborted, or after a minute.
 */
export async function attemptHistory(broker: Broker, identifier: string, attempt: number, signal: AbortSignal): Promise<AttemptHistory> {
  const before = attempt - 1;
  if (before === 0) return { lost: 0 };
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await readReplies(broker, identifier, (messages) => {
        const final = messages.find((message) => message?.kind === 'final');
        const attemptsOf = (kind: 'begun' | 'returned') => messages.flatMap((message) => (message?.kind === kind ? [message.attempt] : []));
        const begun = new Set([1, ...attemptsOf('begun')]);
        // At the broker's own limit there is no other chance to end the task with a word.
        const isEnough = begun.size >= MAX_BEGINNINGS || before >= DELIVERY_LIMIT;
        const returned = new Set(attemptsOf('returned'));
        const lost = isEnough ? before : [...begun].filter((each) => !returned.has(each)).length;
        return { remove: [], result: { lost, ...(final && { ended: final.state }) } };
      });
    } catch (error) {
      if (error instanceof ReplyQueueGone) return { lost: before };
      if (!(error instanceof ReplyQueueBusy) || signal.aborted || performance.now() > deadline) throw error;
    }
  }
}

/**
 * 1, or one more than how often the message was handed out before. A quorum queue counts in a
 * header: every hand-out in x-acquired-count, from RabbitMQ 4.3 on; before, what came back.
 */
export function attemptOf(headers: Record<string, unknown> | undefined): number {
  const count = headers?.['x-acquired-count'] ?? headers?.['x-delivery-count'];
  // A publisher may have put anything there; replies of an attempt that is no such number nobody could read.
  return 1 + (typeof count === 'number' && Number.isSafeInteger(count) && count > 0 ? count : 0);
}
