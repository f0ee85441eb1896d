/**
 * Whether a task's reply queue is there. A queue on a cluster node that is down is unavailable until the node
 * is back.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { brokerCall, BrokerError, BrokerUnavailable, type Broker } from './connection.js';

/** AMQP's reply code for what is not there. */
const NOT_FOUND = 404;
/** What the broker says, with that code, of a queue whose node is down. It may take a minute to say so. */
const NODE_DOWN = /is down or inaccessible|is stopped by supervisor/;
const LOOK_AGAIN_MS = 2_000;

/** The reply queue does not exist: it was never declared, or it has expired. */
export class ReplyQueueGone extends BrokerError {
  override name = 'ReplyQueueGone';
}

/** The error for a queue that is missing or unavailable; undefined if `error` says something else. */
export function missingQueueError(queue: string, error: unknown): BrokerError | undefined {
  const { code, message } = error as { code?: number; message: string };
  if (code !== NOT_FOUND) return undefined;
  return NODE_DOWN.test(message) ? new BrokerUnavailable(message) : new ReplyQueueGone(queue);
}

/** Looks for the queue: undefined if it is there, else ReplyQueueGone or BrokerUnavailable. */
export async function queueError(broker: Broker, queue: string): Promise<BrokerError | undefined> {
  try {
    const channel = await broker.openChannel();
    const look = async () => {
      try {
        await channel.checkQueue(queue);
      } catch (error) {
        throw missingQueueError(queue, error) ?? error;
      }
    };
    // A broker that does not answer for the queue does not answer the close either.
    await brokerCall(look).finally(() => void channel.close().catch(() => undefined));
    return undefined;
  } catch (error) {
    return error as BrokerError;
  }
}

/** Resolves when the queue is there, when it is gone for good, or when `signal` is aborted. */
export async function untilQueueAvailable(broker: Broker, queue: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await queueError(broker, queue)) instanceof BrokerUnavailable) {
    await sleep(LOOK_AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}
