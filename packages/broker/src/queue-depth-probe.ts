/** Asks whether a reply queue is empty, in one round trip, on channels that are kept open. */
import type { Channel } from 'amqplib';
import pTimeout from 'p-timeout';

import type { Broker } from './connection.js';

/** The broker does not answer for a queue whose node is down, nor for anything that is asked later on the channel. */
const ANSWER_MS = 500;
/**
 * A channel answers one request after the other. With a single channel, many polls at once would wait for
 * each other.
 */
const CHANNELS = 128;

interface Line {
  readonly channel: Promise<Channel>;
  /** Requests without an answer yet. */
  asked: number;
}

export class QueueDepthProbe {
  private readonly lines = new Set<Line>();

  constructor(private readonly broker: Broker) {}

  /** False also if it is not known: reading the queue tells why. Throws BrokerUnavailable. */
  async isEmpty(queue: string): Promise<boolean> {
    const line = this.shortest();
    line.asked++;
    try {
      const channel = await line.channel;
      const found = await answerOf(channel.checkQueue(queue));
      if (found === 'late') {
        this.lines.delete(line);
        channel.close().catch(() => undefined);
        return false;
      }
      // A consumer may hold messages that it has not acknowledged yet.
      return found !== undefined && found.messageCount === 0 && found.consumerCount === 0;
    } finally {
      line.asked--;
    }
  }

  private shortest(): Line {
    let shortest: Line | undefined;
    for (const line of this.lines) {
      if (line.asked === 0) return line;
      if (shortest === undefined || line.asked < shortest.asked) shortest = line;
    }
    return shortest === undefined || this.lines.size < CHANNELS ? this.open() : shortest;
  }

  private open(): Line {
    const line: Line = { channel: this.broker.openChannel(), asked: 0 };
    const forget = () => void this.lines.delete(line);
    this.lines.add(line);
    // A queue that is not there costs the channel.
    line.channel.then((channel) => channel.once('close', forget), forget);
    return line;
  }
}

/** Undefined if the channel was closed: this queue is missing, or another one that was asked for on it. */
function answerOf<T>(asked: PromiseLike<T>): Promise<T | undefined | 'late'> {
  const answer = Promise.resolve(asked).catch(() => undefined);
  return pTimeout(answer, { milliseconds: ANSWER_MS, fallback: () => 'late' as const });
}
