/** Whether a task's reply queue can be reached. One on a node of a cluster that is down cannot, and will be again. */
import { setTimeout as sleep } from 'node:timers/promises';

import { brokerCall, BrokerError, BrokerUnavailable, type Broker } from './connection.js';

/** AMQP's reply code for what is not there. */
const NOT_FOUND = 404;
/** The broker's words, with that code, for a queue whose node is down. It may be silent for a minute before it says so. */
const OUT_OF_REACH = /is down or inaccessible|is stopped by supervisor/;
const LOOK_AGAIN_MS = 2_000;

/** The reply queue is not there: never opened, or expired since nobody polled it any more. */
export class ReplyQueueGone extends BrokerError {
  override name = 'ReplyQueueGone';
}

/** What the broker's refusal says of the queue, if it is that it is not there. */
export function absence(queue: string, error: unknown): BrokerError | undefined {
  const { code, message } = error as { code?: number; message: string };
  if (code !== NOT_FOUND) return undefined;
  return OUT_OF_REACH.test(message) ? new BrokerUnavailable(message) : new ReplyQueueGone(queue);
}

/** Asks for the queue: undefined if it is there, else ReplyQueueGone or BrokerUnavailable. */
export async function faultOf(broker: Broker, queue: string): Promise<BrokerError | undefined> {
  try {
    const channel = await broker.openChannel();
    const look = async () => {
      try {
        await channel.checkQueue(queue);
      } catch (error) {
        throw absence(queue, error) ?? error;
      }
    };
    // A broker that is silent about the queue is silent about the channel's end.
    await brokerCall(look).finally(() => void channel.close().catch(() => undefined));
    return undefined;
  } catch (error) {
    return error as BrokerError;
  }
}

/** Resolves when the queue is there, or gone for good, or `signal` is aborted. */
export async function untilInReach(broker: Broker, queue: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await faultOf(broker, queue)) instanceof BrokerUnavailable) {
    await sleep(LOOK_AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}
