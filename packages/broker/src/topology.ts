/**
 * Every exchange, queue and binding by name, and the only place that declares one.
 *
 *   <ns>.submit    direct exchange -> <ns>.tasks   quorum queue of waiting tasks
 *   <ns>.dead      fanout exchange -> <ns>.dead    tasks that nobody could run, for the operator
 *   <ns>.replies   direct exchange -> <ns>.reply.<identifier>   one task's answer, by its identifier
 *   <ns>.attempts  direct exchange -> <ns>.attempts.<identifier>   what workers note about one task's attempts
 *
 * Nothing goes through the default exchange: who may write to it may write to every queue. And since
 * a user's rights are to names, whatever they may be names of, no exchange has the name of a queue
 * to which another user has other rights.
 *
 * rabbitmq/definitions.json has the same, for a broker whose users may not declare it. It has a
 * policy for each queue besides, so that an operator can tighten a limit without a deploy (but not
 * the delivery limit, which workers count with); what is declared here holds without those policies.
 */
import type { Channel } from 'amqplib';

import { DELIVERY_LIMIT } from './attempts.js';

const MIB = 1024 * 1024;
/** Tasks are up to 4 MiB each; a queue full of the largest must not fill the broker's disk. */
const TASK_QUEUE_BYTES = 256 * MIB;
/** Three attempts of the largest answer fit in it: docs/operations.md has the sum. */
const REPLY_QUEUE_BYTES = 48 * MIB;
const REPLY_QUEUE_MESSAGES = 100_000;
const DEAD_LETTERS = 1000;
/** Each look at a dead letter is a delivery. Without this, RabbitMQ drops a message after 20. */
const NO_DELIVERY_LIMIT = -1;
/** Two for each of the starts that a task may have, and as many again. */
const ATTEMPT_NOTES = 40;

/** Those of BROKER_SETTINGS that shape names and queues. */
export interface TopologySettings {
  NAMESPACE: string;
  WAITING_TASKS: number;
  REPLY_EXPIRY_MS: number;
}

export interface Topology {
  readonly taskExchange: string;
  readonly taskQueue: string;
  readonly taskRoutingKey: string;
  /** Leads to deadQueue alone. */
  readonly deadExchange: string;
  readonly deadQueue: string;
  /** Takes a reply to the queue of the task whose identifier is its routing key. */
  readonly replyExchange: string;
  /** Takes a note to the log of the task whose identifier is its routing key. */
  readonly attemptExchange: string;
  /** Tasks that may wait. */
  readonly waitingTasks: number;
  replyQueue(identifier: string): string;
  attemptLog(identifier: string): string;
  /** Declares what is shared by all tasks; repeating it changes nothing. */
  declareShared(channel: Channel): Promise<void>;
  /** Rejects with the broker's NOT_FOUND, and costs the channel, if something shared is not there. */
  checkShared(channel: Channel): Promise<void>;
  /** Declares one task's reply queue and has its replies go there, in one round trip. */
  declareReplyQueue(channel: Channel, identifier: string): Promise<void>;
  /** The same for the log of its attempts. */
  declareAttemptLog(channel: Channel, identifier: string): Promise<void>;
}

export function createTopology({ NAMESPACE, WAITING_TASKS, REPLY_EXPIRY_MS }: TopologySettings): Topology {
  const submit = `${NAMESPACE}.submit`;
  const tasks = `${NAMESPACE}.tasks`;
  const dead = `${NAMESPACE}.dead`;
  const replies = `${NAMESPACE}.replies`;
  const attempts = `${NAMESPACE}.attempts`;
  const taskRoutingKey = 'run';
  const replyQueue = (identifier: string) => `${NAMESPACE}.reply.${identifier}`;
  const attemptLog = (identifier: string) => `${NAMESPACE}.attempts.${identifier}`;

  return {
    taskExchange: submit,
    taskQueue: tasks,
    taskRoutingKey,
    deadExchange: dead,
    deadQueue: dead,
    replyExchange: replies,
    attemptExchange: attempts,
    attemptLog,
    waitingTasks: WAITING_TASKS,
    replyQueue,

    async declareShared(channel) {
      await channel.assertExchange(dead, 'fanout', { durable: true });
      await channel.assertQueue(dead, {
        durable: true,
        arguments: { 'x-queue-type': 'quorum', 'x-max-length': DEAD_LETTERS, 'x-delivery-limit': NO_DELIVERY_LIMIT },
      });
      await channel.bindQueue(dead, dead, '');

      await channel.assertExchange(submit, 'direct', { durable: true });
      await channel.assertQueue(tasks, {
        durable: true,
        arguments: {
          'x-queue-type': 'quorum',
          'x-delivery-limit': DELIVERY_LIMIT,
          'x-dead-letter-exchange': dead,
          'x-max-length': WAITING_TASKS,
          'x-max-length-bytes': TASK_QUEUE_BYTES,
          'x-overflow': 'reject-publish',
        },
      });
      await channel.bindQueue(tasks, submit, taskRoutingKey);

      await channel.assertExchange(replies, 'direct', { durable: true });
      await channel.assertExchange(attempts, 'direct', { durable: true });
    },

    async checkShared(channel) {
      for (const exchange of [submit, dead, replies, attempts]) await channel.checkExchange(exchange);
      for (const queue of [tasks, dead]) await channel.checkQueue(queue);
    },

    async declareReplyQueue(channel, identifier) {
      const queue = replyQueue(identifier);
      const declared = channel.assertQueue(queue, {
        durable: true,
        arguments: {
          'x-queue-type': 'classic',
          'x-expires': REPLY_EXPIRY_MS,
          'x-max-length': REPLY_QUEUE_MESSAGES,
          'x-max-length-bytes': REPLY_QUEUE_BYTES,
          'x-overflow': 'reject-publish',
        },
      });
      // The binding goes when the queue goes.
      await Promise.all([declared, channel.bindQueue(queue, replies, identifier)]);
    },

    async declareAttemptLog(channel, identifier) {
      const queue = attemptLog(identifier);
      const declared = channel.assertQueue(queue, {
        durable: true,
        arguments: { 'x-queue-type': 'classic', 'x-expires': REPLY_EXPIRY_MS, 'x-max-length': ATTEMPT_NOTES },
      });
      await Promise.all([declared, channel.bindQueue(queue, attempts, identifier)]);
    },
  };
}
