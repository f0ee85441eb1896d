/**
 * The worker's end of the task queue: a task is acknowledged after its final message is safe, and
 * goes to another worker if this one dies before.
 */
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
/** Before a task of a later version is requeued: newer workers are being deployed. */
const LATER_VERSION_MS = 5_000;
/** Before a task is requeued whose log of attempts cannot be read. */
const NO_LOG_MS = 5_000;

/** One task in a worker's hands. */
export interface TaskDelivery {
  task: TaskMessage;
  /** 1, or one more than how often the task came back to the queue. */
  attempt: number;
  /** The task was lost too often: it is to be ended as a failure, and not run. */
  isGivenUp: boolean;
  replies: ReplyPublisher;
  /** Aborted when the task is no longer this worker's: channel lost, or the consumer was closed. */
  signal: AbortSignal;
}

/** What becomes of the task. A dead letter is kept for the operator. */
export type TaskOutcome = 'done' | 'dead-letter' | Requeue;

export interface Requeue {
  requeue: true;
  /** False: through no fault that the task could have. */
  countsAsAttempt: boolean;
  /** Keep the task until its reply queue is available, for at most ten minutes. */
  awaitsReplyQueue?: boolean;
}

export interface TaskConsumer {
  /**
   * Whether tasks come and go: the broker answers on the channel of the consumers or is being
   * reconnected to, and no task has taken too long. Rejects with BrokerUnavailable if there is no answer.
   */
  isAlive(): Promise<boolean>;
  /** Takes no more tasks; after `graceMs` those still running are aborted and requeued. */
  close(graceMs: number): Promise<void>;
}

export interface ConsumeOptions {
  broker: Broker;
  /** Tasks at a time. Each has a consumer, so that the number of consumers is the capacity of all workers. */
  concurrency: number;
  /** A worker that has had a task for longer than this, in ms, hangs. */
  longestTaskMs?: number;
  handle: (delivery: TaskDelivery) => Promise<TaskOutcome>;
}

/** Starts consuming, and goes on whenever the connection has been lost and found again. */
export function consumeTasks(options: ConsumeOptions): TaskConsumer {
  const consumer = new Consumer(options);
  return { isAlive: () => consumer.isAlive(), close: (graceMs) => consumer.close(graceMs) };
}

/**
 * All consumers of a worker, and the replies of their tasks, share one channel. So a worker that
 * loses a task can no longer publish for it: before the broker delivers the task to the next worker,
 * the lost attempt has published its last reply. And a worker that dies costs a task one attempt: with
 * a channel for each consumer, the broker would deliver the task to one dying channel after another,
 * and count each.
 */
class Consumer {
  private readonly closing = new AbortController();
  private readonly tasks = new Set<Promise<void>>();
  /** When the handling of each task began. */
  private readonly handled = new Map<TaskMessage, number>();
  /** One slot for each task. A task that is to run alone takes all. */
  private readonly slots: Semaphore;
  private readonly running: Promise<void>;
  private readonly consumerTags = new Set<string>();
  /** Adds a consumer on the present channel; resolves to the function that stops it. */
  private addConsumer: () => Promise<() => void> = () => Promise.reject(new Error('no channel'));
  private readonly retained: RetainedTasks;
  /** Attempts that were lost with a channel, to be noted as returned. */
  private readonly dropped: { identifier: string; attempt: number }[] = [];
  private channel: ConfirmChannel | undefined;
  /** Aborted at the end of close(), which does not wait for a broker that does not answer. */
  private readonly closed = new AbortController();
  /** Aborted when the tasks are no longer this worker's: the channel is lost, or the grace period is over. */
  private revoked = new AbortController();
  private givingUp = false;

  constructor(private readonly options: ConsumeOptions) {
    this.retained = new RetainedTasks(options.broker);
    this.slots = new Semaphore(options.concurrency);
    this.running = this.keepConsuming();
  }

  async isAlive(): Promise<boolean> {
    const { broker, concurrency, longestTaskMs = Infinity } = this.options;
    const { channel } = this;
    if ([...this.handled.values()].some((since) => performance.now() - since > longestTaskMs)) return false;
    if (broker.reconnecting || broker.blocked || this.closing.signal.aborted) return true;
    // Between two channels: the tasks of the lost one are ending.
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

  /** Consumes until closed, on one channel after another. */
  private async keepConsuming(): Promise<void> {
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

  /** Resolves when the channel has closed and the tasks that it carried have come to an end. */
  private async consumeOn(channel: ConfirmChannel): Promise<void> {
    const { broker, concurrency } = this.options;
    const revoked = new AbortController();
    // Each task listens to it, and once more while it waits. Node warns of a leak above ten listeners.
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
      // The broker cancels a consumer whose queue it moved or deleted: begin anew.
      if (message === null) channel.close().catch(() => undefined);
      else this.track(this.work(channel, message, replies, revoked.signal));
    };
    this.addConsumer = async () => {
      const { consumerTag } = await channel.consume(broker.topology.taskQueue, onMessage);
      this.consumerTags.add(consumerTag);
      return () => {
        // With a channel that was lost meanwhile, the consumer is gone.
        if (this.consumerTags.delete(consumerTag)) channel.cancel(consumerTag).catch(() => undefined);
      };
    };
    await channel.prefetch(1); // for each consumer
    for (let i = 0; i < concurrency; i++) await this.addConsumer();
    void this.noteDropped();
    // close() may have been called while the consumers were set up, and does not know the later ones.
    if (this.closing.signal.aborted) await channel.close();
    await closed;
    await Promise.all(this.tasks);
  }

  /** Those that the broker does not take stay for the next channel. */
  private async noteDropped(): Promise<void> {
    for (const dropped of [...this.dropped]) {
      const isNoted = await this.noteReturned(dropped.identifier, dropped.attempt);
      if (isNoted) this.dropped.splice(this.dropped.indexOf(dropped), 1);
    }
  }

  /** False if the broker did not take the note. */
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
      // Not nack: newer brokers do not count it as a delivery.
      else channel.reject(message, outcome !== 'dead-letter');
      if (typeof outcome === 'string' && attempt > 1) await forgetAttempts(this.options.broker, identifier);
    } catch (error) {
      // The channel is gone, and with it the hold on the task: the broker has requeued it already.
      this.options.broker.log.warn({ reason: (error as Error).message }, 'task could not be settled');
      // The connection was lost, and not the worker: this says nothing about the task.
      this.dropped.push({ identifier, attempt });
    }
  }

  private async outcomeOf(message: ConsumeMessage, replies: ReplyPublisher, signal: AbortSignal): Promise<TaskOutcome> {
    const { broker, concurrency, handle } = this.options;
    const task = decodeTaskMessage(message.content);
    const attempt = attemptOf(message.properties.headers);
    if (task === 'newer' && attempt <= MAX_STARTS) {
      broker.log.warn({ attempt }, 'a task of a later version was left to a worker of that version');
      await sleep(LATER_VERSION_MS, undefined, { signal }).catch(() => undefined);
      return RETURNED;
    }
    if (task === 'newer' || task === undefined) {
      broker.log.error({ bytes: message.content.length }, 'a message that no worker understands was dead-lettered');
      return (await endUnread(replies, attempt)) || attempt > DELIVERY_LIMIT ? 'dead-letter' : LOST;
    }
    message.content = Buffer.alloc(0); // Up to 4 MiB that nobody reads any more; a task may be kept for ten minutes.
    const { identifier } = task;
    try {
      const decision = decideAttempt(await attemptsBefore(broker, identifier, attempt), attempt);
      const begin = async (): Promise<TaskOutcome> => {
        if (signal.aborted) return RETURNED;
        if (attempt > 1) await noteAttempt(broker, identifier, attempt, 'begun');
        this.handled.set(task, performance.now());
        return handle({ task, attempt, isGivenUp: decision === 'give-up', replies, signal }).finally(() =>
          this.handled.delete(task),
        );
      };
      const outcome = await this.slots.runExclusive(begin, decision === 'run-alone' ? concurrency : 1);
      return typeof outcome === 'object' && this.givingUp ? { ...outcome, countsAsAttempt: false } : outcome;
    } catch (error) {
      if (error instanceof BrokerUnavailable) {
        await sleep(NO_LOG_MS, undefined, { signal }).catch(() => undefined);
        return RETURNED;
      }
      broker.log.error({ identifier, reason: (error as Error).message }, 'task handler failed');
      return LOST;
    }
  }
}

const LOST: Requeue = { requeue: true, countsAsAttempt: true };
const RETURNED: Requeue = { requeue: true, countsAsAttempt: false };

/**
 * Ends a task that cannot be read, for a client that polls for it. False if the reply queue did not take the
 * message.
 */
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
