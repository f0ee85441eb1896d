/**
 * The widget's end of a task's reply queue: a poll takes all that is in it, confirms what the client
 * has, and leaves the rest where it was. Nothing is kept in a process, so any replica can answer
 * any poll.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Channel, ConsumeMessage } from 'amqplib';
import type { ReplyMessage } from '@code-widgets/protocol';

import { brokerCall, BrokerError, type Broker } from './connection.js';
import { QueueDepthProbe } from './queue-depth-probe.js';
import { missingQueueError } from './queue-availability.js';
import { Backlog, type Reply } from './reply-outline.js';
import { replyPublishers } from './reply-publisher.js';
import { KeyedMutex } from './keyed-mutex.js';

/** How long a poll waits for another poll of the same task, in ms. */
const HOLD_TIMEOUT_MS = 3000;
/** Between its tries, the first and the longest. */
const HOLD_RETRY_MS = 15;
const HOLD_RETRY_MAX_MS = 60;
/** How long what comes first waits for the task's end: less than a reader notices, more than a small program takes. */
const GATHER_MS = 50;

/** Each holds a channel, of which a connection has about 2,000. */
const POLLS_AT_A_TIME = 64;
/** A page polls once at a time; more are several windows, or somebody who wants to be in the way. */
const POLLS_OF_ONE_TASK = 16;

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
  /** There is nothing in `result` that is worth an answer now, if this poll may wait. */
  isEmpty?: boolean;
  result: Result;
}

/** `bytes`: of the content of each message. */
export type Read<Result> = (messages: Reply[], bytes: number[]) => Reading<Result>;

/** Lets a poll that finds nothing wait for output. */
export interface LongPoll {
  /** Timeout. */
  readonly ms: number;
  /** Aborted when the client has gone, or may have. What came meanwhile stays for another poll. */
  readonly signal: AbortSignal;
}

export interface ReplyReader {
  /**
   * Shows `read` everything that is in the queue, oldest first (undefined for what is no message
   * of this version, an outline for output beyond the first few MiB), while no other poll can see
   * it, and does what it decides.
   * Throws ReplyQueueGone, ReplyQueueBusy or BrokerUnavailable.
   */
  poll<Result>(identifier: string, read: Read<Result>, longPoll?: LongPoll): Promise<Result>;
}

export function createReplyReader(broker: Broker): ReplyReader {
  // Between processes, the exclusive consumer is the lock. Within this one, a poll that waits takes no channel.
  const mutex = new KeyedMutex(POLLS_AT_A_TIME, POLLS_OF_ONE_TASK);
  const depth = new QueueDepthProbe(broker);
  return {
    async poll(identifier, read, longPoll) {
      // Most polls come before there is anything to see.
      if (longPoll === undefined && (await depth.isEmpty(broker.topology.replyQueue(identifier)))) {
        const { append, result } = read([], []);
        if (append === undefined) return result;
      }
      return mutex.run(
        identifier,
        () => readReplies(broker, identifier, read, longPoll),
        () => new ReplyQueueBusy(identifier),
      );
    },
  };
}

/** What a poll does, without regard to other polls of this process. */
export async function readReplies<Result>(
  broker: Broker,
  identifier: string,
  read: Read<Result>,
  longPoll?: LongPoll,
): Promise<Result> {
  const held = await holdQueue(broker, broker.topology.replyQueue(identifier));
  const readAll = () => read(held.backlog.replies(), held.backlog.bytes);
  const settle = ({ append, remove }: Reading<Result>) =>
    brokerCall(async () => {
      if (append !== undefined) await appendReply(broker, identifier, append);
      const removed = new Set(remove);
      for (const index of removed) held.channel.ack(held.backlog.messageAt(index) as ConsumeMessage);
      held.backlog.remove(removed);
    });
  try {
    let reading = readAll();
    if (longPoll !== undefined && reading.isEmpty) {
      const known = held.backlog.length - new Set(reading.remove).size;
      await settle(reading);
      await somethingNew(held, known, longPoll);
      if (longPoll.signal.aborted) return reading.result;
      reading = readAll();
    }
    await settle(reading);
    return reading.result;
  } finally {
    // Closing gives back what was not confirmed, in its old order, and lets go of the queue, both
    // in one step: between a cancel and a requeue another poll would see half of it.
    const closed = brokerCall(() => held.channel.close())
      .catch(() => undefined)
      .finally(() => held.backlog.dispose());
    // Who has seen the end asks no more: only another poll would have to wait for this.
    if (!held.backlog.hasEnded) await closed;
  }
}

/** A queue whose messages nobody else can have. */
interface HeldQueue {
  readonly queue: string;
  readonly channel: Channel;
  /** All that was in it, and what has come since. */
  readonly backlog: Backlog;
  /** The queue was deleted, or moved, while it was held. */
  isLost: boolean;
  /** Called when one more has come, or the queue is lost. */
  onNews: () => void;
}

/**
 * Resolves when there is more than the `known` deliveries, and what comes right behind it; or when `longPoll`
 * has ended.
 */
async function somethingNew(held: HeldQueue, known: number, { ms, signal }: LongPoll): Promise<void> {
  // A timer of its own: AbortSignal.any lets go of an AbortSignal.timeout that nobody else holds.
  const within = (limitMs: number, holds: () => boolean) =>
    new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        held.onNews = () => undefined;
        resolve();
      };
      const timer = setTimeout(end, limitMs);
      signal.addEventListener('abort', end);
      held.onNews = () => holds() && end();
      if (holds() || signal.aborted) end();
    });
  const hasCome = () => held.backlog.length > known;
  await within(ms, () => hasCome() || held.isLost);
  if (signal.aborted) return;
  if (hasCome()) await within(GATHER_MS, () => held.backlog.hasEnded);
  // Which also tells what became of a queue that is lost.
  if ((hasCome() && !held.backlog.hasEnded) || held.isLost) await brokerCall(() => untilNoneLeft(held));
}

/**
 * Takes all messages of a queue as its exclusive consumer. The exclusiveness is the lock between
 * polls: the broker gives it to one at a time, and takes it back from a process that died.
 */
async function holdQueue(broker: Broker, queue: string): Promise<HeldQueue> {
  const deadline = Date.now() + HOLD_TIMEOUT_MS;
  let retryMs = HOLD_RETRY_MS;
  for (;;) {
    const held: HeldQueue = {
      queue,
      channel: await broker.openChannel(),
      backlog: new Backlog(),
      isLost: false,
      onNews: () => undefined,
    };
    try {
      if (await brokerCall(() => takeAll(held))) return held;
      if (Date.now() > deadline) throw new ReplyQueueBusy(queue);
    } catch (error) {
      // Not waited for: a broker that was silent is silent about this as well.
      held.channel.close().catch(() => undefined);
      held.backlog.dispose();
      throw error;
    }
    await sleep(retryMs * (0.5 + Math.random()));
    retryMs = Math.min(2 * retryMs, HOLD_RETRY_MAX_MS);
  }
}

/** Fills the backlog, or resolves to false if another consumer has the queue; the channel is closed then. */
async function takeAll(held: HeldQueue): Promise<boolean> {
  const { queue, channel } = held;
  const onMessage = (message: ConsumeMessage | null) => {
    if (message === null) held.isLost = true;
    else held.backlog.add(message);
    held.onNews();
  };
  try {
    await channel.consume(queue, onMessage, { exclusive: true });
  } catch (error) {
    const { code } = error as { code?: number };
    if (code === ACCESS_REFUSED) return false;
    throw missingQueueError(queue, error) ?? error;
  }
  await untilNoneLeft(held);
  return true;
}

/**
 * A queue hands out many messages bit by bit. Once it says that it has none left, the last are on
 * their way through the channel, which passes them on before it answers another request.
 */
async function untilNoneLeft({ queue, channel }: HeldQueue): Promise<void> {
  try {
    while ((await channel.checkQueue(queue)).messageCount > 0) continue;
    await channel.checkQueue(queue);
  } catch (error) {
    throw missingQueueError(queue, error) ?? error;
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
