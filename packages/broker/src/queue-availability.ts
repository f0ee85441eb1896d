/** Whether a reply queue is available. If its cluster node is down, the queue is unavailable until the node is back. */
import { setTimeout as sleep } from 'node:timers/promises';

import { brokerCall, BrokerError, BrokerUnavailable, type Broker } from './connection.js';

const NOT_FOUND = 404;
/** The broker's message, also with code 404, if the queue's node is down. It may take a minute. */
const NODE_DOWN = /is down or inaccessible|is stopped by supervisor/;
const RETRY_MS = 2_000;

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

/** Undefined if the queue is available, else ReplyQueueGone or BrokerUnavailable. */
export async function queueError(broker: Broker, queue: string): Promise<BrokerError | undefined> {
  try {
    const channel = await broker.openChannel();
    const check = async () => {
      try {
        await channel.checkQueue(queue);
      } catch (error) {
        throw missingQueueError(queue, error) ?? error;
      }
    };
    // Not awaited: a broker that does not answer for the queue does not answer this either.
    await brokerCall(check).finally(() => void channel.close().catch(() => undefined));
    return undefined;
  } catch (error) {
    return error as BrokerError;
  }
}

export async function untilQueueAvailable(broker: Broker, queue: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await queueError(broker, queue)) instanceof BrokerUnavailable) {
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}
