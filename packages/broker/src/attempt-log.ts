/**
 * What workers note about a task's attempts, in a queue of its own for each task that did not succeed
 * at once. A task that does has no such queue, and costs nothing here.
 */
import type { ConfirmChannel } from 'amqplib';
import { decodeAttemptNote, encodeMessage, MESSAGE_VERSION, type AttemptNote } from '@code-widgets/protocol';

import { FIRST_ATTEMPT, reduceAttempts, type Attempts } from './attempts.js';
import { brokerCall, type Broker } from './connection.js';

/** Resolves when the note is safe. Rejects with BrokerUnavailable. */
export function noteAttempt(
  broker: Broker,
  identifier: string,
  attempt: number,
  event: AttemptNote['event'],
): Promise<void> {
  const note: AttemptNote = { version: MESSAGE_VERSION, attempt, event };
  return withLog(broker, identifier, (channel) => {
    channel.publish(broker.topology.attemptExchange, identifier, encodeMessage(note), { persistent: true });
    return channel.waitForConfirms();
  });
}

/** What the notes tell when attempt `attempt` is delivered. Rejects with BrokerUnavailable. */
export async function attemptsBefore(broker: Broker, identifier: string, attempt: number): Promise<Attempts> {
  if (attempt === 1) return new Map();
  let attempts = FIRST_ATTEMPT;
  await withLog(broker, identifier, async (channel) => {
    // One worker at a time has the task, so nobody else reads. Closing the channel puts the notes back.
    for (let message; (message = await channel.get(broker.topology.attemptLog(identifier)));) {
      const note = decodeAttemptNote(message.content);
      if (note) attempts = reduceAttempts(attempts, note);
    }
  });
  return reduceAttempts(attempts, { attempt, event: 'delivered' });
}

/** The task has ended. Never rejects: the queue expires in any case. */
export function forgetAttempts(broker: Broker, identifier: string): Promise<void> {
  return withLog(
    broker,
    identifier,
    async (channel) => void (await channel.deleteQueue(broker.topology.attemptLog(identifier))),
  ).catch(() => undefined);
}

/** On a channel of its own: what the broker refuses costs the channel. */
async function withLog(
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
