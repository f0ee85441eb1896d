/** The operator's end of the queue of tasks that nobody could run: looked at, run again, dropped. */
import { createHash, randomUUID } from 'node:crypto';

import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import { decodeTaskMessage, type TaskMessage } from '@code-widgets/protocol';

import { brokerCall, BrokerError, type Broker } from './connection.js';
import { attemptOf } from './attempt-history.js';
import { createTaskPublisher } from './task-publisher.js';

/** RabbitMQ 4 drops what came back to a queue without a limit 20 times, and whoever looks gives back what was shown. */
const LOOKS = 10;
/** The look that put a fresh copy in the place of a message that was looked at so often. */
const RENEWED_BY = 'renewed-by';

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
 * Shows each dead letter to `visit` once. One for which it returns a promise is removed when that
 * has resolved; all others stay, and so does everything if this process dies. Rejects with the
 * reason of the first of the promises that did. A body is nobody's after its visit, so that the
 * whole queue is never in memory.
 */
export async function visitDeadLetters(broker: Broker, visit: (letter: DeadLetter) => Promise<unknown> | void): Promise<void> {
  const { deadQueue, deadExchange } = broker.topology;
  const channel = await broker.openConfirmChannel();
  const renew = renewer(channel, deadExchange);
  const removals: Promise<void>[] = [];
  try {
    await takeAll(channel, deadQueue, (message) => {
      if (renew.made(message)) return;
      const done = visit(letterOf(message)) ?? (attemptOf(message.properties.headers) > LOOKS ? renew.copy(message) : undefined);
      if (done) removals.push(done.then(() => channel.ack(message)));
    });
  } finally {
    // What was begun comes to its end, whatever became of the looking.
    await Promise.allSettled(removals);
    // Gives back whatever was not confirmed; what was is on its way before.
    await brokerCall(() => channel.close()).catch(() => undefined);
  }
  await Promise.all(removals);
}

/**
 * Puts the letter's task into the task queue again, as a new task with a reply queue of its own,
 * and resolves to its identifier. Not under the old one: whoever polls for that has been told that
 * the task failed, and a worker that finds this answer in the reply queue takes the task for ended.
 */
export async function replayTask(broker: Broker, { task }: DeadLetter): Promise<string> {
  if (task === undefined) throw new NotReplayable('what cannot be read as a task cannot be run');
  if (task === 'newer') throw new NotReplayable('a task of a later version can be replayed by that version alone');
  const identifier = randomUUID();
  await createTaskPublisher(broker).submit({ ...task, identifier, submittedAt: Date.now() });
  return identifier;
}

/** Resolves when all that is in the queue was taken. A quorum queue gives no consumer exclusiveness, but it counts them. */
async function takeAll(channel: ConfirmChannel, queue: string, take: (message: ConsumeMessage) => void): Promise<void> {
  const state = () => brokerCall(() => channel.checkQueue(queue));
  await brokerCall(() => channel.consume(queue, (message) => message && take(message)));
  let left = await state();
  while (left.messageCount > 0) left = await state();
  // The channel passes on what is on its way before it answers another request.
  const { consumerCount } = await state();
  if (consumerCount > 1) throw new DeadLettersBusy('somebody else looks at the dead letters: try again');
}

/** Puts fresh copies, which nobody has looked at, behind the others of the queue. */
function renewer(channel: ConfirmChannel, exchange: string) {
  const look = randomUUID();
  const returned = new Set<string>();
  channel.on('return', ({ properties }) => returned.add(String(properties.correlationId)));
  return {
    made: (message: ConsumeMessage) => message.properties.headers?.[RENEWED_BY] === look,
    copy({ content, properties }: ConsumeMessage): Promise<void> {
      // An undefined header is not sent: those counts are the broker's, of the message in hand.
      const headers = { ...properties.headers, 'x-delivery-count': undefined, 'x-acquired-count': undefined, [RENEWED_BY]: look };
      const correlationId = randomUUID();
      const options = { ...properties, headers, correlationId, persistent: true, mandatory: true };
      return brokerCall(
        () =>
          new Promise<void>((resolve, reject) => {
            channel.publish(exchange, '', content, options, (error: unknown) => {
              if (error || returned.has(correlationId)) reject(new Error('the dead queue took no copy'));
              else resolve();
            });
          }),
      );
    },
  };
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
