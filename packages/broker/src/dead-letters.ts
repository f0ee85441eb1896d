/** The operator's end of the dead-letter queue: list, replay and drop tasks that no worker could run. */
import { createHash, randomUUID } from 'node:crypto';

import type { Channel, ConsumeMessage } from 'amqplib';
import { decodeTaskMessage, type TaskMessage } from '@code-widgets/protocol';

import { brokerCall, BrokerError, type Broker } from './connection.js';
import { createTaskPublisher } from './task-publisher.js';

/** Another consumer has some of the dead letters, so the list would be incomplete. */
export class DeadLettersBusy extends BrokerError {
  override name = 'DeadLettersBusy';
}

export class NotReplayable extends BrokerError {
  override name = 'NotReplayable';
}

/** A message of the dead-letter queue. Its content is untrusted: the publisher may have written anything. */
export interface DeadLetter {
  /** From the task. If that cannot be decoded, the message id or a digest of the body. */
  identifier: string;
  task: TaskMessage | 'newer' | undefined;
  body: Buffer;
  /** Why the broker dead-lettered it: `rejected` by a worker, or `delivery_limit`. */
  reason: string | undefined;
  since: Date | undefined;
}

/**
 * Calls `visit` once for each dead letter, and removes the letter when the promise of `visit` resolves. All other
 * letters stay. Rejects with the reason of the first rejected promise, DeadLettersBusy or BrokerUnavailable.
 */
export async function visitDeadLetters(
  broker: Broker,
  visit: (letter: DeadLetter) => Promise<unknown> | void,
): Promise<void> {
  const channel = await broker.openChannel();
  const removals: Promise<void>[] = [];
  try {
    await consumeAll(channel, broker.topology.deadQueue, (message) => {
      const done = visit(letterOf(message));
      if (done) removals.push(done.then(() => channel.ack(message)));
    });
  } finally {
    await Promise.allSettled(removals);
    // Closing requeues the unacknowledged letters. The acknowledgements are sent first.
    await brokerCall(() => channel.close()).catch(() => undefined);
  }
  await Promise.all(removals);
}

/**
 * Submits the letter's task as a new task and resolves to its identifier. The old identifier is not used again,
 * because its page has been told that the task failed. Throws NotReplayable, TaskQueueFull or BrokerUnavailable.
 */
export async function replayTask(broker: Broker, { task }: DeadLetter): Promise<string> {
  if (task === undefined) throw new NotReplayable('what cannot be read as a task cannot be run');
  if (task === 'newer') throw new NotReplayable('a task of a later version can be replayed by that version alone');
  const identifier = randomUUID();
  await createTaskPublisher(broker).submit({ ...task, identifier, submittedAt: Date.now() });
  return identifier;
}

/**
 * Resolves when all letters were delivered. Counts the consumers, because those of a quorum queue cannot be exclusive.
 */
async function consumeAll(channel: Channel, queue: string, onLetter: (message: ConsumeMessage) => void): Promise<void> {
  const state = () => brokerCall(() => channel.checkQueue(queue));
  await brokerCall(() => channel.consume(queue, (message) => message && onLetter(message)));
  let left = await state();
  while (left.messageCount > 0) left = await state();
  // The channel delivers the last letters before its next response.
  const { consumerCount } = await state();
  if (consumerCount > 1) throw new DeadLettersBusy('somebody else looks at the dead letters: try again');
}

function letterOf({ content, properties }: ConsumeMessage): DeadLetter {
  const task = decodeTaskMessage(content);
  const [death] = (properties.headers?.['x-death'] ?? []) as { reason?: string; time?: { value?: number } }[];
  const digest = () => `sha256-${createHash('sha256').update(content).digest('hex').slice(0, 16)}`;
  return {
    identifier: typeof task === 'object' ? task.identifier : String(properties.messageId ?? digest()),
    task,
    body: content,
    reason: death?.reason,
    since: death?.time?.value === undefined ? undefined : new Date(death.time.value * 1000),
  };
}
