/** The API's end of a task's reply queue. All state is in the queue, so any replica can answer any poll. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Channel, ConsumeMessage } from 'amqplib';
import type { ReplyMessage } from '@code-widgets/protocol';

import { brokerCall, BrokerError, type Broker } from './connection.js';
import { QueueDepthProbe } from './queue-depth-probe.js';
import { missingQueueError } from './queue-availability.js';
import { Backlog, type Reply } from './reply-outline.js';
import { replyPublishers } from './reply-publisher.js';
import { KeyedMutex } from './keyed-mutex.js';

const LOCK_TIMEOUT_MS = 3000;
const LOCK_RETRY_MS = 15;
const LOCK_RETRY_MAX_MS = 60;
/** Wait for the final message after new output: readers do not notice it, and small programs end within it. */
const GATHER_MS = 50;

/** Each poll uses a channel. A connection has about 2,000. */
const POLLS_AT_A_TIME = 64;
/** A page has one poll at a time. More come from several windows, or from an attacker. */
const POLLS_OF_ONE_TASK = 16;

/** AMQP's reply code for a queue that has an exclusive consumer. */
const ACCESS_REFUSED = 403;

/** Another poll has locked the queue. Its connection may be dead without the broker having noticed. */
export class ReplyQueueBusy extends BrokerError {
  override name = 'ReplyQueueBusy';
}

export interface Reading<Result> {
  /** Indices of messages that no later poll needs. */
  remove: number[];
  /** Published to the queue before anything is removed. */
  append?: ReplyMessage;
  /** `result` has no news for the client, so the poll may wait. */
  isEmpty?: boolean;
  result: Result;
}

/** `bytes`: size of each message's content. */
export type Read<Result> = (messages: Reply[], bytes: number[]) => Reading<Result>;

/** Lets a poll without new output wait for it, for up to `ms`. */
export interface LongPoll {
  readonly ms: number;
  /** Aborted when the client has gone, or may have. New messages then stay for another poll. */
  readonly signal: AbortSignal;
}

export interface ReplyReader {
  /**
   * Calls `read` with all messages of the queue, oldest first, while no other poll can read them, and does what it
   * decides. A message of another version is undefined; output beyond the first few MiB is an outline. After a long
   * poll, `read` is called again. Throws ReplyQueueGone, ReplyQueueBusy or BrokerUnavailable.
   */
  poll<Result>(identifier: string, read: Read<Result>, longPoll?: LongPoll): Promise<Result>;
}

export function createReplyReader(broker: Broker): ReplyReader {
  // The lock between processes is the exclusive consumer. This mutex saves the channels of waiting polls.
  const mutex = new KeyedMutex(POLLS_AT_A_TIME, POLLS_OF_ONE_TASK);
  const depth = new QueueDepthProbe(broker);
  return {
    async poll(identifier, read, longPoll) {
      // Most polls find an empty queue. The probe answers them without a separate channel.
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

/** One poll, without the mutex of this process. */
export async function readReplies<Result>(
  broker: Broker,
  identifier: string,
  read: Read<Result>,
  longPoll?: LongPoll,
): Promise<Result> {
  const locked = await lockQueue(broker, broker.topology.replyQueue(identifier));
  const readAll = () => read(locked.backlog.replies(), locked.backlog.bytes);
  const settle = ({ append, remove }: Reading<Result>) =>
    brokerCall(async () => {
      if (append !== undefined) await appendReply(broker, identifier, append);
      const removed = new Set(remove);
      for (const index of removed) locked.channel.ack(locked.backlog.messageAt(index) as ConsumeMessage);
      locked.backlog.remove(removed);
    });
  try {
    let reading = readAll();
    if (longPoll !== undefined && reading.isEmpty) {
      const known = locked.backlog.length - new Set(reading.remove).size;
      await settle(reading);
      await untilNewMessages(locked, known, longPoll);
      if (longPoll.signal.aborted) return reading.result;
      reading = readAll();
    }
    await settle(reading);
    return reading.result;
  } finally {
    // Closing requeues the unacknowledged messages in their order and unlocks the queue, in one step. Between a
    // cancel and a requeue another poll would see half of the messages.
    const closed = brokerCall(() => locked.channel.close())
      .catch(() => undefined)
      .finally(() => locked.backlog.dispose());
    // A client that has seen the final message does not poll again, so its answer need not wait.
    if (!locked.backlog.hasEnded) await closed;
  }
}

interface LockedQueue {
  readonly queue: string;
  readonly channel: Channel;
  readonly backlog: Backlog;
  /** The queue was deleted or moved while it was locked. */
  isLost: boolean;
  onChange: () => void;
}

/** Resolves when the backlog has more than `known` messages, or when `longPoll` ends. */
async function untilNewMessages(locked: LockedQueue, known: number, { ms, signal }: LongPoll): Promise<void> {
  // Not AbortSignal.timeout(): AbortSignal.any() does not keep it alive (nodejs/node#57736).
  const within = (limitMs: number, isDone: () => boolean) =>
    new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        locked.onChange = () => undefined;
        resolve();
      };
      const timer = setTimeout(end, limitMs);
      signal.addEventListener('abort', end);
      locked.onChange = () => isDone() && end();
      if (isDone() || signal.aborted) end();
    });
  const hasNew = () => locked.backlog.length > known;
  await within(ms, () => hasNew() || locked.isLost);
  if (signal.aborted) return;
  if (hasNew()) await within(GATHER_MS, () => locked.backlog.hasEnded);
  // If the queue is lost, this throws the reason.
  if ((hasNew() && !locked.backlog.hasEnded) || locked.isLost) await brokerCall(() => untilDelivered(locked));
}

/** Locks a queue with an exclusive consumer. The broker removes the consumer of a dead process. */
async function lockQueue(broker: Broker, queue: string): Promise<LockedQueue> {
  const deadline = Date.now() + LOCK_TIMEOUT_MS;
  let retryMs = LOCK_RETRY_MS;
  for (;;) {
    const locked: LockedQueue = {
      queue,
      channel: await broker.openChannel(),
      backlog: new Backlog(),
      isLost: false,
      onChange: () => undefined,
    };
    try {
      if (await brokerCall(() => consumeAll(locked))) return locked;
      if (Date.now() > deadline) throw new ReplyQueueBusy(queue);
    } catch (error) {
      // Not awaited: a broker that did not answer will not answer this either.
      locked.channel.close().catch(() => undefined);
      locked.backlog.dispose();
      throw error;
    }
    await sleep(retryMs * (0.5 + Math.random()));
    retryMs = Math.min(2 * retryMs, LOCK_RETRY_MAX_MS);
  }
}

/** Fills the backlog. Resolves to false, with the channel closed by the broker, if another consumer has the queue. */
async function consumeAll(locked: LockedQueue): Promise<boolean> {
  const { queue, channel } = locked;
  const onMessage = (message: ConsumeMessage | null) => {
    if (message === null) locked.isLost = true;
    else locked.backlog.add(message);
    locked.onChange();
  };
  try {
    await channel.consume(queue, onMessage, { exclusive: true });
  } catch (error) {
    const { code } = error as { code?: number };
    if (code === ACCESS_REFUSED) return false;
    throw missingQueueError(queue, error) ?? error;
  }
  await untilDelivered(locked);
  return true;
}

/**
 * Resolves when all messages of the queue have arrived. The broker delivers in parts. Messages that it no longer counts
 * arrive before its next response.
 */
async function untilDelivered({ queue, channel }: LockedQueue): Promise<void> {
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
