/** The operator's end of the dead queue: look at tasks that no worker could run, replay them, drop them. */
import { createHash, randomUUID } from 'node:crypto';

import type { Channel, ConsumeMessage } from 'amqplib';
import { decodeTaskMessage, type TaskMessage } from '@code-widgets/protocol';

import { brokerCall, BrokerError, type Broker } from './connection.js';
import { createTaskPublisher } from './task-publisher.js';

/** Somebody else holds dead letters at this moment: what is shown would not be all of them. */
export class DeadLettersBusy extends BrokerError {
  override name = 'DeadLettersBusy';
}

/** Its task is of a later version, or no task at all. */
export class NotReplayable extends BrokerError {
  override name = 'NotReplayable';
}

/** A message of the dead queue, written by whoever could publish a task: anything may be in it. */
export interface DeadLetter {
  /** Its task's; where that cannot be read, what its publisher called it, or a digest of it. */
  identifier: string;
  task: TaskMessage | 'newer' | undefined;
  body: Buffer;
  /** The broker's word for why it left the task queue: `rejected` by a worker, `delivery_limit`. */
  reason: string | undefined;
  /** When it left it. */
  since: Date | undefined;
}

/**
 * Shows each dead letter to `visit` once. If `visit` returns a promise, the letter is removed when it
 * resolves. All others stay, and if this process dies, all do. Rejects with the reason of the first
 * promise that rejected.
 */
export async function visitDeadLetters(
  broker: Broker,
  visit: (letter: DeadLetter) => Promise<unknown> | void,
): Promise<void> {
  const channel = await broker.openChannel();
  const removals: Promise<void>[] = [];
  try {
    await takeAll(channel, broker.topology.deadQueue, (message) => {
      const done = visit(letterOf(message));
      if (done) removals.push(done.then(() => channel.ack(message)));
    });
  } finally {
    await Promise.allSettled(removals);
    // Requeues what was not acknowledged. The acknowledgements are on their way before it.
    await brokerCall(() => channel.close()).catch(() => undefined);
  }
  await Promise.all(removals);
}

/**
 * Puts the letter's task into the task queue again, as a new task with a reply queue of its own,
 * and resolves to its identifier. Not under the old one: its page has been told that the task failed.
 */
export async function replayTask(broker: Broker, { task }: DeadLetter): Promise<string> {
  if (task === undefined) throw new NotReplayable('what cannot be read as a task cannot be run');
  if (task === 'newer') throw new NotReplayable('a task of a later version can be replayed by that version alone');
  const identifier = randomUUID();
  await createTaskPublisher(broker).submit({ ...task, identifier, submittedAt: Date.now() });
  return identifier;
}

/**
 * Resolves when all that is in the queue was taken. A quorum queue gives no consumer exclusiveness, but it
 * counts them.
 */
async function takeAll(channel: Channel, queue: string, take: (message: ConsumeMessage) => void): Promise<void> {
  const state = () => brokerCall(() => channel.checkQueue(queue));
  await brokerCall(() => channel.consume(queue, (message) => message && take(message)));
  let left = await state();
  while (left.messageCount > 0) left = await state();
  // The channel passes on what is on its way before it answers another request.
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
