/** Whether there is nothing in a reply queue for a poll: asked in one round trip, on channels that are kept. */
import type { Channel } from 'amqplib';

import type { Broker } from './connection.js';

/** A broker is silent about a queue on a node that is down, and with it about all that is asked on the channel after that. */
const ANSWER_MS = 500;
/** A channel answers one question after the other; a crowd of polls would stand in line before a single one. */
const CHANNELS = 128;

interface Line {
  readonly channel: Promise<Channel>;
  /** Questions that are not answered yet. */
  asked: number;
}

export class EmptinessCheck {
  private readonly lines = new Set<Line>();

  constructor(private readonly broker: Broker) {}

  /** False as well where it cannot be told: who looks closer finds out why. Throws BrokerUnavailable. */
  async isSure(queue: string): Promise<boolean> {
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
      // Who has the queue for itself has in its hands what it has not answered yet.
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

/** Undefined if there is none: this queue is not there, or one that was asked for on the same channel. */
function answerOf<T>(asked: PromiseLike<T>): Promise<T | undefined | 'late'> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('late'), ANSWER_MS);
    const settle = (answer?: T) => {
      clearTimeout(timer);
      resolve(answer);
    };
    asked.then(settle, () => settle());
  });
}
