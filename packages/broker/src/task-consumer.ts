/** The worker's end of the task queue. A task is acknowledged after its final message is confirmed. */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import { Semaphore } from 'async-mutex';
import { decodeTaskMessage, MESSAGE_VERSION, type TaskMessage } from '@code-widgets/protocol';

import { attemptsBefore, forgetAttempts, noteAttempt } from './attempt-log.js';
import { attemptOf, decideAttempt, DELIVERY_LIMIT, MAX_STARTS } from './attempts.js';
import { brokerCall, BrokerUnavailable, type Broker } from './connection.js';
import { ReplyQueueGone } from './queue-availability.js';
import { replyPublishers, type ReplyPublisher, type ReplyPublishers } from './reply-publisher.js';
import { RetainedTasks } from './retained-tasks.js';

const REOPEN_DELAY_MS = 500;
/** Delay before a task of a later version is requeued. Newer workers are being deployed. */
const LATER_VERSION_DELAY_MS = 5_000;
const NO_LOG_DELAY_MS = 5_000;

export interface TaskDelivery {
  task: TaskMessage;
  /** Number of the delivery, from 1. */
  attempt: number;
  /** The task was lost or started too often. End it as a failure, without running it. */
  isGivenUp: boolean;
  replies: ReplyPublisher;
  /** Aborted when the worker loses the task: the channel was lost, or the consumer was closed. */
  signal: AbortSignal;
}

/** `done` acknowledges the task; `dead-letter` keeps it for the operator. */
export type TaskOutcome = 'done' | 'dead-letter' | Requeue;

export interface Requeue {
  requeue: true;
  /** False if the task cannot be at fault. */
  countsAsAttempt: boolean;
  /** Retain the task until its reply queue is available, for at most ten minutes. */
  awaitsReplyQueue?: boolean;
}

export interface TaskConsumer {
  /** False if a task exceeds `longestTaskMs`. Rejects with BrokerUnavailable if the broker does not answer. */
  isAlive(): Promise<boolean>;
  /** Stops consuming. After `graceMs`, running tasks are aborted and requeued. */
  close(graceMs: number): Promise<void>;
}

export interface ConsumeOptions {
  broker: Broker;
  /** Tasks at a time. Each has a consumer, so the number of consumers is the capacity of all workers. */
  concurrency: number;
  /** In ms. A worker that has a task for longer than this counts as hung. */
  longestTaskMs?: number;
  handle: (delivery: TaskDelivery) => Promise<TaskOutcome>;
}

/** Starts consuming, and continues after each reconnection. */
export function consumeTasks(options: ConsumeOptions): TaskConsumer {
  const consumer = new Consumer(options);
  return { isAlive: () => consumer.isAlive(), close: (graceMs) => consumer.close(graceMs) };
}

/**
 * All consumers of a worker and the replies of their tasks share one channel. So a lost attempt has published its
 * last reply before the broker delivers the task again. And a dying worker costs a task one attempt: with a channel
 * for each consumer, the broker would deliver the task to one dying channel after another, and count each.
 */
class Consumer {
  private readonly closing = new AbortController();
  private readonly tasks = new Set<Promise<void>>();
  private readonly startTimes = new Map<TaskMessage, number>();
  private readonly slots: Semaphore;
  private readonly running: Promise<void>;
  private readonly consumerTags = new Set<string>();
  private addConsumer: () => Promise<() => void> = () => Promise.reject(new Error('no channel'));
  private readonly retained: RetainedTasks;
  /** Attempts that were lost with a channel, and must be noted as returned. */
  private readonly dropped: { identifier: string; attempt: number }[] = [];
  private channel: ConfirmChannel | undefined;
  /** Aborted at the end of close(), which does not wait for a broker that does not answer. */
  private readonly closed = new AbortController();
  /** Aborted when the channel is lost or the grace period is over. */
  private revoked = new AbortController();
  private givingUp = false;

  constructor(private readonly options: ConsumeOptions) {
    this.retained = new RetainedTasks(options.broker);
    this.slots = new Semaphore(options.concurrency);
    this.running = this.consumeUntilClosed();
  }

  async isAlive(): Promise<boolean> {
    const { broker, concurrency, longestTaskMs = Infinity } = this.options;
    const { channel } = this;
    if ([...this.startTimes.values()].some((since) => performance.now() - since > longestTaskMs)) return false;
    if (broker.reconnecting || broker.blocked || this.closing.signal.aborted) return true;
    // The channel was lost, and its tasks are ending.
    if (this.revoked.signal.aborted && this.tasks.size > 0) return true;
    if (channel === undefined || this.consumerTags.size < concurrency) return false;
    await broker.call(() => channel.checkQueue(broker.topology.taskQueue));
    return true;
  }

  async close(graceMs: number): Promise<void> {
    this.closing.abort();
    const { channel } = this;
    const timer = setTimeout(() => {
      this.givingUp = true;
      this.revoked.abort();
    }, graceMs);
    if (channel)
      await brokerCall(() => Promise.all([...this.consumerTags].map((tag) => channel.cancel(tag)))).catch(
        () => undefined,
      );
    await Promise.all(this.tasks);
    clearTimeout(timer);
    if (channel) await brokerCall(() => channel.close()).catch(() => undefined);
    this.closed.abort();
    await this.running;
  }

  private async consumeUntilClosed(): Promise<void> {
    const { broker } = this.options;
    while (!this.closing.signal.aborted) {
      try {
        this.channel = await broker.openConfirmChannel();
        await this.consumeOn(this.channel);
      } catch (error) {
        if (!(error instanceof BrokerUnavailable))
          broker.log.error({ reason: (error as Error).message }, 'cannot consume tasks');
      }
      await sleep(REOPEN_DELAY_MS, undefined, { signal: this.closing.signal }).catch(() => undefined);
    }
  }

  private async consumeOn(channel: ConfirmChannel): Promise<void> {
    const { broker, concurrency } = this.options;
    const revoked = new AbortController();
    // Each task adds one or two listeners. Node warns of a leak above ten.
    setMaxListeners(2 * concurrency + 1, revoked.signal);
    this.revoked = revoked;
    this.consumerTags.clear();
    const closed = new Promise<void>((resolve) => {
      channel.once('close', () => resolve());
      this.closed.signal.addEventListener('abort', () => resolve(), { once: true, signal: revoked.signal });
    });
    void closed.then(() => revoked.abort());

    const replies = replyPublishers(channel, broker);
    const onMessage = (message: ConsumeMessage | null) => {
      // The broker cancels a consumer if it moved or deleted the queue. A new channel then starts again.
      if (message === null) channel.close().catch(() => undefined);
      else this.track(this.work(channel, message, replies, revoked.signal));
    };
    this.addConsumer = async () => {
      const { consumerTag } = await channel.consume(broker.topology.taskQueue, onMessage);
      this.consumerTags.add(consumerTag);
      return () => {
        if (this.consumerTags.delete(consumerTag)) channel.cancel(consumerTag).catch(() => undefined);
      };
    };
    await channel.prefetch(1); // for each consumer
    for (let i = 0; i < concurrency; i++) await this.addConsumer();
    void this.noteDropped();
    // close() may have been called during this setup. It cancels only the consumers that exist then.
    if (this.closing.signal.aborted) await channel.close();
    await closed;
    await Promise.all(this.tasks);
  }

  /** Notes the dropped attempts as returned. A note that the broker does not confirm is retried on the next channel. */
  private async noteDropped(): Promise<void> {
    for (const dropped of [...this.dropped]) {
      const isNoted = await this.noteReturned(dropped.identifier, dropped.attempt);
      if (isNoted) this.dropped.splice(this.dropped.indexOf(dropped), 1);
    }
  }

  private async noteReturned(identifier: string, attempt: number): Promise<boolean> {
    return noteAttempt(this.options.broker, identifier, attempt, 'returned').then(
      () => true,
      () => false,
    );
  }

  private track(task: Promise<void>): void {
    this.tasks.add(task);
    void task.finally(() => this.tasks.delete(task));
  }

  private async work(
    channel: ConfirmChannel,
    message: ConsumeMessage,
    replies: ReplyPublishers,
    signal: AbortSignal,
  ): Promise<void> {
    const identifier = String(message.properties.messageId);
    const attempt = attemptOf(message.properties.headers);
    const outcome = await this.outcomeOf(message, replies.to(identifier), signal);
    if (typeof outcome === 'object') {
      if (outcome.awaitsReplyQueue)
        await this.retained.retain(identifier, this.addConsumer, AbortSignal.any([signal, this.closing.signal]));
      if (!outcome.countsAsAttempt) await this.noteReturned(identifier, attempt);
    }
    try {
      if (outcome === 'done') channel.ack(message);
      // Not nack: newer brokers do not count a nack as a delivery.
      else channel.reject(message, outcome !== 'dead-letter');
      if (typeof outcome === 'string' && attempt > 1) await forgetAttempts(this.options.broker, identifier);
    } catch (error) {
      // The channel was lost, and the broker has requeued the task.
      this.options.broker.log.warn({ reason: (error as Error).message }, 'task could not be settled');
      // Only the connection was lost, so the task is not at fault.
      this.dropped.push({ identifier, attempt });
    }
  }

  private async outcomeOf(message: ConsumeMessage, replies: ReplyPublisher, signal: AbortSignal): Promise<TaskOutcome> {
    const { broker, concurrency, handle } = this.options;
    const task = decodeTaskMessage(message.content);
    const attempt = attemptOf(message.properties.headers);
    if (task === 'newer' && attempt <= MAX_STARTS) {
      broker.log.warn({ attempt }, 'a task of a later version was left to a worker of that version');
      await sleep(LATER_VERSION_DELAY_MS, undefined, { signal }).catch(() => undefined);
      return RETURNED;
    }
    if (task === 'newer' || task === undefined) {
      broker.log.error({ bytes: message.content.length }, 'a message that no worker understands was dead-lettered');
      return (await endUnread(replies, attempt)) || attempt > DELIVERY_LIMIT ? 'dead-letter' : LOST;
    }
    message.content = Buffer.alloc(0); // Frees up to 4 MiB: a task may be retained for ten minutes.
    const { identifier } = task;
    try {
      const decision = decideAttempt(await attemptsBefore(broker, identifier, attempt), attempt);
      const begin = async (): Promise<TaskOutcome> => {
        if (signal.aborted) return RETURNED;
        if (attempt > 1) await noteAttempt(broker, identifier, attempt, 'begun');
        this.startTimes.set(task, performance.now());
        return handle({ task, attempt, isGivenUp: decision === 'give-up', replies, signal }).finally(() =>
          this.startTimes.delete(task),
        );
      };
      const outcome = await this.slots.runExclusive(begin, decision === 'run-alone' ? concurrency : 1);
      return typeof outcome === 'object' && this.givingUp ? { ...outcome, countsAsAttempt: false } : outcome;
    } catch (error) {
      if (error instanceof BrokerUnavailable) {
        await sleep(NO_LOG_DELAY_MS, undefined, { signal }).catch(() => undefined);
        return RETURNED;
      }
      broker.log.error({ identifier, reason: (error as Error).message }, 'task handler failed');
      return LOST;
    }
  }
}

const LOST: Requeue = { requeue: true, countsAsAttempt: true };
const RETURNED: Requeue = { requeue: true, countsAsAttempt: false };

/** Ends a task that cannot be decoded, for a client that polls for it. False if the reply queue is unavailable. */
async function endUnread(replies: ReplyPublisher, attempt: number): Promise<boolean> {
  const end = {
    version: MESSAGE_VERSION,
    kind: 'final',
    attempt,
    items: 0,
    state: 'FAILURE',
    status: 1,
    workMs: 0,
  } as const;
  return brokerCall(() => replies.publish(end)).then(
    () => true,
    (error: unknown) => error instanceof ReplyQueueGone,
  );
}
