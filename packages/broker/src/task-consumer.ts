/**
 * The worker's end of the task queue: a task is acknowledged after its final message is safe, and
 * goes to another worker if this one dies before.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import { decodeTaskMessage, type TaskMessage } from '@code-widgets/protocol';

import { attemptHistory, attemptOf } from './attempt-history.js';
import { SharedExclusiveLock } from './shared-exclusive-lock.js';
import { brokerCall, BrokerUnavailable, type Broker } from './connection.js';
import { HeldTasks } from './held-tasks.js';
import { replyPublishers, type ReplyPublisher, type ReplyPublishers } from './reply-publisher.js';
import { DELIVERY_LIMIT, MAX_ATTEMPTS, MAX_LOOKS } from './topology.js';
import { endUnread, note } from './worker-notes.js';

const REOPEN_DELAY_MS = 500;
/** How long a task of a later version is held before it is given back: newer workers are on their way. */
const LATER_VERSION_MS = 5_000;

/** One task in a worker's hands. */
export interface TaskDelivery {
  task: TaskMessage;
  /** 1, or one more than how often the task came back to the queue. */
  attempt: number;
  /** How many of the attempts before this one were lost, and not given back in good order; all, once they were too many in any case. */
  lost: number;
  replies: ReplyPublisher;
  /** Aborted when the task is no longer this worker's: channel lost, or the consumer was closed. */
  signal: AbortSignal;
}

/**
 * done: acknowledged. retry: given back, for another attempt. return: the same through no fault that
 * the task could have, so that it does not count. later: the same, once its reply queue can be
 * reached. dead: kept aside for the operator.
 */
export type TaskOutcome = 'done' | 'retry' | 'return' | 'later' | 'dead';

export interface TaskConsumer {
  /**
   * Whether tasks come and go: the broker answers on the channel of the consumers, or is being tried
   * for, and nobody hangs on to a task. Rejects with BrokerUnavailable if there is no answer.
   */
  isAlive(): Promise<boolean>;
  /** Takes no more tasks; after `graceMs` those still running are aborted and given back. */
  close(graceMs: number): Promise<void>;
}

export interface ConsumeOptions {
  broker: Broker;
  /** Tasks at a time; each has a consumer of its own, so that consumers count as free hands. */
  concurrency: number;
  /** Whoever has had a task for longer than this, in ms, hangs. */
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
 * has lost its hold on a task cannot publish for it any more: when the broker gives the task to
 * the next worker, the lost attempt has said its last. And a worker that dies costs a task one
 * attempt: with a channel for each consumer, the broker would hand the task from one of the dying
 * channels to the next, and count each.
 */
class Consumer {
  private readonly closing = new AbortController();
  private readonly tasks = new Set<Promise<void>>();
  /** Those that are being handled, each with since when. */
  private readonly handled = new Map<TaskMessage, number>();
  private readonly lock = new SharedExclusiveLock();
  private readonly running: Promise<void>;
  private readonly consumerTags = new Set<string>();
  /** Starts one more on the channel that is there now; resolves to what stops it. */
  private takeTasks: () => Promise<() => void> = () => Promise.reject(new Error('no channel'));
  private readonly held: HeldTasks;
  /** Attempts whose hold was lost with a channel, to be told of on the next one. */
  private readonly dropped: { identifier: string; attempt: number }[] = [];
  private channel: ConfirmChannel | undefined;
  /** Aborted at the end of close(), which does not wait for a broker that does not answer. */
  private readonly left = new AbortController();
  /** Aborted when the channel is lost, or when those who still work are to give up. */
  private hold = new AbortController();
  private givingUp = false;

  constructor(private readonly options: ConsumeOptions) {
    this.held = new HeldTasks(options.broker);
    this.running = this.keepConsuming();
  }

  async isAlive(): Promise<boolean> {
    const { broker, concurrency, longestTaskMs = Infinity } = this.options;
    const { channel } = this;
    if ([...this.handled.values()].some((since) => performance.now() - since > longestTaskMs)) return false;
    if (broker.reconnecting || broker.blocked || this.closing.signal.aborted) return true;
    // Between two channels: those who lost their hold are on their way out.
    if (this.hold.signal.aborted && this.tasks.size > 0) return true;
    if (channel === undefined || this.consumerTags.size < concurrency) return false;
    await broker.call(() => channel.checkQueue(broker.topology.taskQueue));
    return true;
  }

  async close(graceMs: number): Promise<void> {
    this.closing.abort();
    const { channel } = this;
    if (channel) await brokerCall(() => Promise.all([...this.consumerTags].map((tag) => channel.cancel(tag)))).catch(() => undefined);
    const timer = setTimeout(() => {
      this.givingUp = true;
      this.hold.abort();
    }, graceMs);
    await Promise.all(this.tasks);
    clearTimeout(timer);
    if (channel) await brokerCall(() => channel.close()).catch(() => undefined);
    this.left.abort();
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
        if (!(error instanceof BrokerUnavailable)) broker.log.error({ reason: (error as Error).message }, 'cannot consume tasks');
      }
      await sleep(REOPEN_DELAY_MS, undefined, { signal: this.closing.signal }).catch(() => undefined);
    }
  }

  /** Resolves when the channel has closed and the tasks that it carried have come to an end. */
  private async consumeOn(channel: ConfirmChannel): Promise<void> {
    const { broker, concurrency } = this.options;
    const hold = new AbortController();
    // Each task listens to it, and once more while it waits for something: Node would take more than ten for a leak.
    setMaxListeners(2 * concurrency + 1, hold.signal);
    this.hold = hold;
    this.consumerTags.clear();
    const closed = new Promise<void>((resolve) => {
      channel.once('close', () => resolve());
      this.left.signal.addEventListener('abort', () => resolve(), { once: true, signal: hold.signal });
    });
    void closed.then(() => hold.abort());

    const replies = replyPublishers(channel, broker);
    const onMessage = (message: ConsumeMessage | null) => {
      // The broker cancels a consumer whose queue it moved or deleted: begin anew.
      if (message === null) channel.close().catch(() => undefined);
      else this.keep(this.work(channel, message, replies, hold.signal));
    };
    this.takeTasks = async () => {
      const { consumerTag } = await channel.consume(broker.topology.taskQueue, onMessage);
      this.consumerTags.add(consumerTag);
      return () => {
        // Of a channel that was lost meanwhile, it is gone.
        if (this.consumerTags.delete(consumerTag)) channel.cancel(consumerTag).catch(() => undefined);
      };
    };
    await channel.prefetch(1); // for each consumer
    for (let i = 0; i < concurrency; i++) await this.takeTasks();
    void this.tellOfDropped(replies);
    // close() may have come while the consumers were being set up, and found some of them missing.
    if (this.closing.signal.aborted) await channel.close();
    await closed;
    await Promise.all(this.tasks);
  }

  /** Each until it could be said. */
  private async tellOfDropped(replies: ReplyPublishers): Promise<void> {
    for (const dropped of [...this.dropped]) {
      const noted = await note('returned', replies.to(dropped.identifier), dropped.attempt);
      if (noted) this.dropped.splice(this.dropped.indexOf(dropped), 1);
    }
  }

  private keep(task: Promise<void>): void {
    this.tasks.add(task);
    void task.finally(() => this.tasks.delete(task));
  }

  private async work(channel: ConfirmChannel, message: ConsumeMessage, replies: ReplyPublishers, signal: AbortSignal): Promise<void> {
    const outcome = await this.outcomeOf(message, replies, signal);
    if (outcome === 'later') {
      const identifier = String(message.properties.messageId);
      await this.held.hold(identifier, this.takeTasks, AbortSignal.any([signal, this.closing.signal]));
      await note('returned', replies.to(identifier), attemptOf(message.properties.headers));
    }
    try {
      if (outcome === 'done') channel.ack(message);
      // Not nack, by which newer brokers do not count an attempt.
      else channel.reject(message, outcome !== 'dead');
    } catch (error) {
      // The channel is gone, and with it the hold on the task: the broker has given it on already.
      this.options.broker.log.warn({ reason: (error as Error).message }, 'task could not be settled');
      // It was the connection that was lost, and not the worker: what the task did has nothing to do with it.
      this.dropped.push({ identifier: String(message.properties.messageId), attempt: attemptOf(message.properties.headers) });
    }
  }

  private async outcomeOf(message: ConsumeMessage, replies: ReplyPublishers, signal: AbortSignal): Promise<TaskOutcome> {
    const { broker, handle } = this.options;
    const task = decodeTaskMessage(message.content);
    const attempt = attemptOf(message.properties.headers);
    // Its publisher names a task on the outside too, for whoever cannot read what is in it.
    const mine = replies.to(String(message.properties.messageId));
    if (task === 'newer' && attempt <= MAX_LOOKS) {
      broker.log.warn({ attempt }, 'a task of a later version was left to a worker of that version');
      await sleep(LATER_VERSION_MS, undefined, { signal }).catch(() => undefined);
      await note('returned', mine, attempt);
      return 'retry';
    }
    if (task === 'newer' || task === undefined) {
      broker.log.error({ bytes: message.content.length }, 'a message that no worker understands was set aside');
      return (await endUnread(mine, attempt)) || attempt > DELIVERY_LIMIT ? 'dead' : 'retry';
    }
    message.content = Buffer.alloc(0); // Up to 4 MiB that nobody reads any more; a task may be held for ten minutes.
    try {
      const { lost, ended } = await attemptHistory(broker, task.identifier, attempt, signal);
      if (ended !== undefined) {
        broker.log.info({ identifier: task.identifier, attempt }, 'a task that had ended came back, and was settled');
        return ended === 'FAILURE' ? 'dead' : 'done';
      }
      const begin = async (): Promise<TaskOutcome> => {
        if (signal.aborted) return 'retry';
        if (attempt > 1) await note('begun', mine, attempt);
        this.handled.set(task, performance.now());
        return handle({ task, attempt, lost, replies: mine, signal }).finally(() => this.handled.delete(task));
      };
      // On its last attempt a task has the worker to itself: it shall not end as a failure because of
      // another that takes the worker with it, and takes no other with it.
      const outcome = await (lost === MAX_ATTEMPTS - 1 ? this.lock.withExclusive(begin) : this.lock.withShared(begin));
      if (outcome === 'return' || (outcome === 'retry' && this.givingUp)) await note('returned', mine, attempt);
      return outcome;
    } catch (error) {
      if (error instanceof BrokerUnavailable) return 'later';
      broker.log.error({ identifier: task.identifier, reason: (error as Error).message }, 'task handler failed');
      return 'retry';
    }
  }
}
