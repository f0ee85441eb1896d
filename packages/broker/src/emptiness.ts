/** Whether there is nothing in a reply queue for a poll: asked in one round trip, on a channel that is kept. */
import type { Channel } from 'amqplib';

import type { Broker } from './connection.js';

/** A broker is silent about a queue on a node that is down, and with it about all that is asked on the channel after that. */
const ANSWER_MS = 250;

export class EmptinessCheck {
  private channel: Promise<Channel> | undefined;

  constructor(private readonly broker: Broker) {}

  /** False as well where it cannot be told: who looks closer finds out why. Throws BrokerUnavailable. */
  async isSure(queue: string): Promise<boolean> {
    const channel = await (this.channel ??= this.open());
    const found = await answerOf(channel.checkQueue(queue));
    if (found === 'late') {
      this.channel = undefined;
      channel.close().catch(() => undefined);
      return false;
    }
    // Who has the queue for itself has in its hands what it has not answered yet.
    return found !== undefined && found.messageCount === 0 && found.consumerCount === 0;
  }

  private open(): Promise<Channel> {
    const opening = this.broker.openChannel();
    const forget = () => {
      if (this.channel === opening) this.channel = undefined;
    };
    // A queue that is not there costs the channel.
    opening.then((channel) => channel.once('close', forget), forget);
    return opening;
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
