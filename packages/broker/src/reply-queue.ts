/**
 * A task's reply queue, from both ends. The worker appends to it; a poll takes all that is in it,
 * confirms what the client has, and leaves the rest where it was. Nothing is kept in a process, so
 * any replica can answer any poll.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Channel, ConfirmChannel, ConsumeMessage } from 'amqplib';
import { decodeReplyMessage, encodeMessage, type ReplyMessage } from '@code-widgets/protocol';

import { brokerCall, BrokerError, BrokerUnavailable, type Broker } from './connection.js';
import { absence, faultOf } from './reach.js';
import { Turns } from './turns.js';

/** How long a poll waits for another poll of the same task, in ms. */
const HOLD_TIMEOUT_MS = 3000;
/** Between its tries, the first and the longest. */
const HOLD_RETRY_MS = 15;
const HOLD_RETRY_MAX_MS = 240;

/** Each holds a channel, of which a connection has about 2,000. */
const POLLS_AT_A_TIME = 64;
/** A page polls once at a time; more are several windows, or somebody who wants to be in the way. */
const POLLS_OF_ONE_TASK = 16;

/** Below what every broker takes: RabbitMQ 4 has a limit of 16 MiB by default. */
const LARGEST_MESSAGE_BYTES = 12 * 1024 * 1024;

/** AMQP's reply code for a queue that another consumer holds exclusively. */
const ACCESS_REFUSED = 403;

/** Another poll of the same task, or one whose connection died in silence, holds the queue. */
export class ReplyQueueBusy extends BrokerError {
  override name = 'ReplyQueueBusy';
}

/** What a poll does with the messages that it was shown. */
export interface Reading<Result> {
  /** Indices of messages that nobody needs any more. */
  remove: number[];
  /** To be put behind the others, before anything is removed. */
  append?: ReplyMessage;
  result: Result;
}

export interface ReplyReader {
  /**
   * Shows `read` everything that is in the queue, oldest first (undefined for what is no message
   * of this version), while no other poll can see it, and does what it decides.
   * Throws ReplyQueueGone, ReplyQueueBusy or BrokerUnavailable.
   */
  poll<Result>(identifier: string, read: (messages: (ReplyMessage | undefined)[]) => Reading<Result>): Promise<Result>;
}

export function createReplyReader(broker: Broker): ReplyReader {
  // Between processes the broker arbitrates; within this one, whoever waits takes no channel for it.
  const turns = new Turns(POLLS_AT_A_TIME, POLLS_OF_ONE_TASK);
  return {
    poll: (identifier, read) =>
      turns.take(identifier, () => pollOnce(broker, identifier, read), () => new ReplyQueueBusy(identifier)),
  };
}

async function pollOnce<Result>(
  broker: Broker,
  identifier: string,
  read: (messages: (ReplyMessage | undefined)[]) => Reading<Result>,
): Promise<Result> {
  const { channel, deliveries } = await holdQueue(broker, broker.topology.replyQueue(identifier));
  try {
    const { remove, append, result } = read(deliveries.map(({ content }) => decodeReplyMessage(content)));
    return await brokerCall(async () => {
      if (append !== undefined) await appendReply(broker, identifier, append);
      for (const index of remove) channel.ack(deliveries[index] as ConsumeMessage);
      return result;
    });
  } finally {
    // Closing gives back what was not confirmed, in its old order, and lets go of the queue, both
    // in one step: between a cancel and a requeue another poll would see half of it.
    await brokerCall(() => channel.close()).catch(() => undefined);
  }
}

/**
 * Takes all messages of a queue as its exclusive consumer. The exclusiveness is the lock between
 * polls: the broker gives it to one at a time, and takes it back from a process that died.
 */
async function holdQueue(broker: Broker, queue: string): Promise<{ channel: Channel; deliveries: ConsumeMessage[] }> {
  const deadline = Date.now() + HOLD_TIMEOUT_MS;
  let retryMs = HOLD_RETRY_MS;
  for (;;) {
    const channel = await broker.openChannel();
    const deliveries: ConsumeMessage[] = [];
    try {
      const held = await brokerCall(() => takeAll(channel, queue, deliveries));
      if (held) return { channel, deliveries };
      if (Date.now() > deadline) throw new ReplyQueueBusy(queue);
    } catch (error) {
      // Not waited for: a broker that was silent is silent about this as well.
      channel.close().catch(() => undefined);
      throw error;
    }
    await sleep(retryMs * (0.5 + Math.random()));
    retryMs = Math.min(2 * retryMs, HOLD_RETRY_MAX_MS);
  }
}

/** Fills `deliveries`, or resolves to false if another consumer has the queue; the channel is closed then. */
async function takeAll(channel: Channel, queue: string, deliveries: ConsumeMessage[]): Promise<boolean> {
  try {
    await channel.consume(queue, (message) => message && deliveries.push(message), { exclusive: true });
    // A queue hands out many messages bit by bit. Once it says that it has none left, the last are on
    // their way through the channel, which passes them on before it answers another request.
    while ((await channel.checkQueue(queue)).messageCount > 0) continue;
    await channel.checkQueue(queue);
    return true;
  } catch (error) {
    const { code } = error as { code?: number };
    if (code === ACCESS_REFUSED) return false;
    throw absence(queue, error) ?? error;
  }
}

async function appendReply(broker: Broker, identifier: string, message: ReplyMessage): Promise<void> {
  const channel = await broker.openConfirmChannel();
  try {
    await replyPublishers(channel, broker).to(identifier).publish(message);
  } finally {
    await channel.close().catch(() => undefined);
  }
}

export interface ReplyPublisher {
  /**
   * Resolves when the broker has the message safe; rejects with ReplyQueueGone if nobody can read
   * it, with BrokerUnavailable if the queue is out of reach for now.
   */
  publish(message: ReplyMessage): Promise<void>;
}

export interface ReplyPublishers {
  to(identifier: string): ReplyPublisher;
}

/** Publishers to any task's reply queue, through one channel. */
export function replyPublishers(channel: ConfirmChannel, broker: Broker): ReplyPublishers {
  const { replyExchange } = broker.topology;
  // A message that no queue takes comes back before its confirm, which says nothing of that.
  const returned = new Set<string>();
  channel.on('return', ({ properties }) => returned.add(String(properties.messageId)));
  let published = 0;

  return {
    to(identifier) {
      return {
        publish(message) {
          const body = encodeMessage(message);
          // A broker closes the channel over a message that is too large, and with it all tasks of a worker.
          if (body.length > LARGEST_MESSAGE_BYTES) {
            return Promise.reject(new BrokerError(`a reply of ${body.length} bytes is too large`));
          }
          const messageId = String(++published);
          const options = { persistent: true, mandatory: true, messageId, contentType: 'application/json' };
          return new Promise((resolve, reject) => {
            channel.publish(replyExchange, identifier, body, options, (error: unknown) => {
              if (returned.delete(messageId) || isRefusal(error)) void whyRefused(broker, identifier).then(reject);
              else if (error) reject(new BrokerUnavailable((error as Error).message));
              else resolve();
            });
          });
        },
      };
    },
  };
}

/** Of the broker: it answered, and did not take the message. Else the channel was lost. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.message === 'message nacked';
}

/** Why a message did not get into a reply queue: the broker tells whoever asks for the queue. */
async function whyRefused(broker: Broker, identifier: string): Promise<Error> {
  const fault = await faultOf(broker, broker.topology.replyQueue(identifier));
  return fault ?? new BrokerError(`the reply queue of ${identifier} refused a message`);
}
