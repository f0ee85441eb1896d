/**
 * Names and declares every exchange, queue and binding.
 *
 *   <ns>.submit    direct exchange -> <ns>.tasks   quorum queue of waiting tasks
 *   <ns>.dead      fanout exchange -> <ns>.dead    tasks that no worker could run, for the operator
 *   <ns>.replies   direct exchange -> <ns>.reply.<identifier>      one task's answer (routing key: its identifier)
 *   <ns>.attempts  direct exchange -> <ns>.attempts.<identifier>   notes about one task's attempts (likewise)
 *
 * Nothing uses the default exchange, because a user with a right to write to it can write to every queue. RabbitMQ
 * grants rights by name, to queues and exchanges alike. So no exchange has the name of a queue for which another
 * user has other rights.
 *
 * rabbitmq/definitions.json has the same topology, for users that may not declare it. Its policies let an operator
 * lower limits without a deploy. The delivery limit must stay, because workers count with it.
 */
import type { Channel } from 'amqplib';

import { DELIVERY_LIMIT } from './attempts.js';

const MIB = 1024 * 1024;
/** A task has up to 4 MiB. A full queue must not fill the broker's disk. */
const TASK_QUEUE_BYTES = 256 * MIB;
/** Three attempts of the largest answer fit; docs/operations.md has the sum. */
const REPLY_QUEUE_BYTES = 48 * MIB;
const REPLY_QUEUE_MESSAGES = 100_000;
const DEAD_LETTERS = 1000;
/** Each listing of a dead letter is a delivery. By default RabbitMQ drops a message after 20. */
const NO_DELIVERY_LIMIT = -1;
/** Two notes for each of the MAX_STARTS starts, doubled. */
const ATTEMPT_NOTES = 40;

export interface TopologySettings {
  NAMESPACE: string;
  WAITING_TASKS: number;
  REPLY_EXPIRY_MS: number;
}

export interface Topology {
  readonly taskExchange: string;
  readonly taskQueue: string;
  readonly taskRoutingKey: string;
  readonly deadExchange: string;
  readonly deadQueue: string;
  readonly replyExchange: string;
  readonly attemptExchange: string;
  readonly waitingTasks: number;
  replyQueue(identifier: string): string;
  attemptLog(identifier: string): string;
  /** Declares the shared exchanges and queues. Idempotent. */
  declareShared(channel: Channel): Promise<void>;
  /** Rejects with the broker's NOT_FOUND, which closes the channel, if one of them is missing. */
  checkShared(channel: Channel): Promise<void>;
  /** Declares and binds one task's reply queue, in one round trip. */
  declareReplyQueue(channel: Channel, identifier: string): Promise<void>;
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
      // The broker deletes the binding with the queue.
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
