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

/**
 * The attempts before delivery `attempt`, from the notes. The begin of the first attempt is never noted. Rejects with
 * BrokerUnavailable.
 */
export async function attemptsBefore(broker: Broker, identifier: string, attempt: number): Promise<Attempts> {
  if (attempt === 1) return new Map();
  let attempts = FIRST_ATTEMPT;
  await withAttemptLog(broker, identifier, async (channel) => {
    // Not acknowledged, so closing the channel puts the notes back. Nobody else reads this log meanwhile: only the
    // worker that has the task does.
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
