/** Checks whether a reply queue is empty, in one round trip, on a pool of open channels. */
import type { Channel } from 'amqplib';
import pTimeout from 'p-timeout';

import type { Broker } from './connection.js';

/** Timeout of a check. If a queue's node is down, the broker answers nothing more on the channel. */
const ANSWER_MS = 500;
/** A channel answers one request after another. With few channels, simultaneous polls would wait for each other. */
const CHANNELS = 128;

interface ProbeChannel {
  readonly channel: Promise<Channel>;
  pending: number;
}

export class QueueDepthProbe {
  private readonly pool = new Set<ProbeChannel>();

  constructor(private readonly broker: Broker) {}

  /** False if it is unknown; then reading the queue tells the reason. Throws BrokerUnavailable. */
  async isEmpty(queue: string): Promise<boolean> {
    const probe = this.leastBusy();
    probe.pending++;
    try {
      const channel = await probe.channel;
      const found = await answerOf(channel.checkQueue(queue));
      if (found === 'late') {
        this.pool.delete(probe);
        channel.close().catch(() => undefined);
        return false;
      }
      // A consumer may have messages that it has not acknowledged yet.
      return found !== undefined && found.messageCount === 0 && found.consumerCount === 0;
    } finally {
      probe.pending--;
    }
  }

  private leastBusy(): ProbeChannel {
    let leastBusy: ProbeChannel | undefined;
    for (const probe of this.pool) {
      if (probe.pending === 0) return probe;
      if (leastBusy === undefined || probe.pending < leastBusy.pending) leastBusy = probe;
    }
    return leastBusy === undefined || this.pool.size < CHANNELS ? this.open() : leastBusy;
  }

  private open(): ProbeChannel {
    const probe: ProbeChannel = { channel: this.broker.openChannel(), pending: 0 };
    const forget = () => void this.pool.delete(probe);
    this.pool.add(probe);
    probe.channel.then((channel) => channel.once('close', forget), forget);
    return probe;
  }
}

/** 'late' after ANSWER_MS; undefined if the channel was closed, because a queue that was checked on it is missing. */
function answerOf<T>(request: PromiseLike<T>): Promise<T | undefined | 'late'> {
  const answer = Promise.resolve(request).catch(() => undefined);
  return pTimeout(answer, { milliseconds: ANSWER_MS, fallback: () => 'late' as const });
}
