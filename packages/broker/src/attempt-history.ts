/** What became of a task's attempts before this one, as far as it matters to whoever has it now. */
import type { Broker } from './connection.js';
import { BrokerUnavailable } from './connection.js';
import { createReplyReader, ReplyQueueBusy, ReplyQueueGone } from './reply-queue.js';
import { DELIVERY_LIMIT } from './topology.js';

export interface AttemptHistory {
  /** How many ended with the loss of their worker, and not with the task given back in good order. */
  lost: number;
  /** How the task has ended already, in an attempt that could not be acknowledged any more. */
  ended?: 'SUCCESS' | 'FAILURE';
}

/**
 * The broker counts only how often a task came back; a worker that gave it back in good order has
 * left word in the task's reply queue, and so has one that has ended it. Rejects with
 * BrokerUnavailable once `signal` is aborted; until then, who holds the queue or the broker is waited for.
 */
export async function attemptHistory(broker: Broker, identifier: string, attempt: number, signal: AbortSignal): Promise<AttemptHistory> {
  const before = attempt - 1;
  if (before === 0) return { lost: 0 };
  for (;;) {
    try {
      return await createReplyReader(broker).poll(identifier, (messages) => {
        const final = messages.find((message) => message?.kind === 'final');
        const returned = messages.flatMap((message) => (message?.kind === 'returned' ? [message.attempt] : []));
        // At the broker's own limit there is no other chance to end the task with a word.
        const lost = before >= DELIVERY_LIMIT ? before : before - new Set(returned).size;
        return { remove: [], result: { lost, ...(final && { ended: final.state }) } };
      });
    } catch (error) {
      if (error instanceof ReplyQueueGone) return { lost: before };
      const passes = error instanceof ReplyQueueBusy || error instanceof BrokerUnavailable;
      if (!passes || signal.aborted) throw error;
    }
  }
}
