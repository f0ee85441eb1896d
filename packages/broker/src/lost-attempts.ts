/** Telling a task that is dangerous to workers from one that met several that were told to stop. */
import type { Broker } from './connection.js';
import { createReplyReader, ReplyQueueGone } from './reply-queue.js';
import { DELIVERY_LIMIT, MAX_ATTEMPTS } from './topology.js';

/**
 * How many of the attempts before this one ended with the loss of their worker. The broker counts
 * only how often a task came back; a worker that gave it back in good order has left word in the
 * task's reply queue. That is looked at when it matters: it takes the queue from polls for a moment.
 * Throws ReplyQueueBusy or BrokerUnavailable.
 */
export async function lostAttempts(broker: Broker, identifier: string, attempt: number): Promise<number> {
  const before = attempt - 1;
  // At the broker's own limit there is no other chance to end the task with a word.
  if (before < MAX_ATTEMPTS || before >= DELIVERY_LIMIT) return before;
  try {
    return await createReplyReader(broker).poll(identifier, (messages) => {
      const returned = messages.flatMap((message) => (message?.kind === 'returned' ? [message.attempt] : []));
      return { remove: [], result: before - new Set(returned).size };
    });
  } catch (error) {
    if (error instanceof ReplyQueueGone) return before;
    throw error;
  }
}
