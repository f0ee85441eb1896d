/**
 * The worker's end of the task queue: a task is acknowledged after its final message is safe, and
 * goes to another worker if this one dies before.
 */
import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import { decodeTaskMessage, type TaskMessage } from '@code-widgets/protocol';

import { BrokerUnavailable, type Broker } from './broker.js';
import { replyPublishers, type ReplyPublisher, type ReplyPublishers } from './reply-queue.js';

const REOPEN_DELAY_MS = 500;

/** One task in a worker's hands. */
export interface TaskDelivery {
  task: TaskMessage;
  /** 1, or one more than the number of workers that lost this task. */
  attempt: number;
  replies: ReplyPublisher;
  /** Aborted when the task is no longer this worker's: channel lost, or the consumer was closed. */
  signal: AbortSignal;
}

/** done: acknowledged. retry: given back, for another worker. dead: kept aside for the operator. */
export type TaskOutcome = 'done' | 'retry' | 'dead';

export interface TaskConsumer {
  /** Takes no more tasks; after `graceMs` those still running are aborted and given back. */
  close(graceMs: number): Promise<void>;
}

export interface ConsumeOptions {
  broker: Broker;
  /** Tasks at a time; each has a consumer of its own, so that consumers count as free hands. */
  concurrency: number;
  handle: (delivery: TaskDelivery) => Promise<TaskOutcome>;
}

export function consumeTasks({ broker, concurrency, handle }: ConsumeOptions): TaskConsumer {
  const slots = Array.from({ length: concurrency }, () => new Slot(broker, handle));
  return {
    async close(graceMs) {
      await Promise.all(slots.map((slot) => slot.close(graceMs)));
    },
  };
}

/**
 * One consumer with one task at a time, on a channel of its own through which the task's replies
 * go as well. So a worker that has lost its hold on a task cannot publish for it any more: when
 * the broker gives the task to the next worker, the lost attempt has said its last.
 */
class Slot {
  private readonly closing = new AbortController();
  private readonly running: Promise<void>;
  private channel: ConfirmChannel | undefined;
  private consumerTag: string | undefined;
  private task: Promise<void> = Promise.resolve();
  private abortTask = new AbortController();

  constructor(
    private readonly broker: Broker,
    private readonly handle: ConsumeOptions['handle'],
  ) {
    this.running = this.keepConsuming();
  }

  async close(graceMs: number): Promise<void> {
    this.closing.abort();
    if (this.channel && this.consumerTag !== undefined) await this.channel.cancel(this.consumerTag).catch(() => undefined);
    const timer = setTimeout(() => this.abortTask.abort(), graceMs);
    await this.task;
    clearTimeout(timer);
    await this.channel?.close().catch(() => undefined);
    await this.running;
  }

  /** Consumes until closed, on one channel after another. */
  private async keepConsuming(): Promise<void> {
    while (!this.closing.signal.aborted) {
      try {
        this.channel = await this.broker.openConfirmChannel();
        await this.consumeOn(this.channel);
      } catch (error) {
        if (!(error instanceof BrokerUnavailable)) {
          this.broker.log.error({ reason: (error as Error).message }, 'cannot consume tasks');
        }
      }
      await Promise.race([aborted(this.closing.signal), delay(REOPEN_DELAY_MS)]);
    }
  }

  /** Resolves when the channel has closed and the task that it carried has come to an end. */
  private async consumeOn(channel: ConfirmChannel): Promise<void> {
    const closed = new Promise<void>((resolve) => channel.once('close', () => resolve()));
    void closed.then(() => this.abortTask.abort());
    const replies = replyPublishers(channel, this.broker.topology);
    await channel.prefetch(1);
    const onMessage = (message: ConsumeMessage | null) => {
      // The broker cancels a consumer whose queue it moved or deleted: begin anew.
      if (message === null) channel.close().catch(() => undefined);
      else this.task = this.work(channel, message, replies);
    };
    const { consumerTag } = await channel.consume(this.broker.topology.taskQueue, onMessage);
    this.consumerTag = consumerTag;
    // close() may have come while the consumer was being set up, and found none to cancel.
    if (this.closing.signal.aborted) await channel.close();
    await closed;
    await this.task;
  }

  private async work(channel: ConfirmChannel, message: ConsumeMessage, replies: ReplyPublishers): Promise<void> {
    this.abortTask = new AbortController();
    const outcome = await this.outcomeOf(message, replies, this.abortTask.signal);
    try {
      if (outcome === 'done') channel.ack(message);
      else channel.nack(message, false, outcome === 'retry');
    } catch (error) {
      // The channel is gone, and with it the hold on the task: the broker has given it on already.
      this.broker.log.warn({ reason: (error as Error).message }, 'task could not be settled');
    }
  }

  private async outcomeOf(message: ConsumeMessage, replies: ReplyPublishers, signal: AbortSignal): Promise<TaskOutcome> {
    const { log } = this.broker;
    const task = decodeTaskMessage(message.content);
    if (!task) {
      log.error({ bytes: message.content.length }, 'a message that is no task of this version was set aside');
      return 'dead';
    }
    const attempt = 1 + deliveryCount(message);
    try {
      return await this.handle({ task, attempt, replies: replies.to(task.identifier), signal });
    } catch (error) {
      log.error({ identifier: task.identifier, reason: (error as Error).message }, 'task handler failed');
      return 'retry';
    }
  }
}

/** A quorum queue counts in this header how often a message came back. */
function deliveryCount({ properties }: ConsumeMessage): number {
  const count: unknown = properties.headers?.['x-delivery-count'];
  return typeof count === 'number' ? count : 0;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
