/** The log of a task's attempts. Each task that did not succeed at once has a queue with notes of workers. */
import type { ConfirmChannel } from 'amqplib';
import { decodeAttemptNote, encodeMessage, MESSAGE_VERSION, type AttemptNote } from '@code-widgets/protocol';

import { FIRST_ATTEMPT, reduceAttempts, type Attempts } from './attempts.js';
import { brokerCall, type Broker } from './connection.js';

/** Resolves when the broker has confirmed the note. Rejects with BrokerUnavailable. */
export function noteAttempt(
  broker: Broker,
  identifier: string,
  attempt: number,
  event: AttemptNote['event'],
): Promise<void> {
  const note: AttemptNote = { version: MESSAGE_VERSION, attempt, event };
  return withAttemptLog(broker, identifier, (channel) => {
    channel.publish(broker.topology.attemptExchange, identifier, encodeMessage(note), { persistent: true });
    return channel.waitForConfirms();
  });
}

/** The attempts that were noted before delivery `attempt`. Rejects with BrokerUnavailable. */
export async function attemptsBefore(broker: Broker, identifier: string, attempt: number): Promise<Attempts> {
  if (attempt === 1) return new Map();
  let attempts = FIRST_ATTEMPT;
  await withAttemptLog(broker, identifier, async (channel) => {
    // Only the worker that has the task reads its log. Closing the channel requeues the notes.
    for (let message; (message = await channel.get(broker.topology.attemptLog(identifier)));) {
      const note = decodeAttemptNote(message.content);
      if (note) attempts = reduceAttempts(attempts, note);
    }
  });
  return reduceAttempts(attempts, { attempt, event: 'delivered' });
}

/** Deletes the log of a task that has ended. Never rejects, because the queue expires in any case. */
export function forgetAttempts(broker: Broker, identifier: string): Promise<void> {
  return withAttemptLog(
    broker,
    identifier,
    async (channel) => void (await channel.deleteQueue(broker.topology.attemptLog(identifier))),
  ).catch(() => undefined);
}

async function withAttemptLog(
  broker: Broker,
  identifier: string,
  use: (channel: ConfirmChannel) => Promise<void>,
): Promise<void> {
  const channel = await broker.openConfirmChannel();
  try {
    await brokerCall(async () => {
      await broker.topology.declareAttemptLog(channel, identifier);
      await use(channel);
    });
  } finally {
    await brokerCall(() => channel.close()).catch(() => undefined);
  }
}
