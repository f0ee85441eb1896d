/** The worker's end of a task's reply queue. */
import type { ConfirmChannel } from 'amqplib';
import { encodeMessage, type ReplyMessage } from '@code-widgets/protocol';

import { BrokerError, BrokerUnavailable, type Broker } from './connection.js';
import { queueError } from './queue-availability.js';
import { outlineHeaders, REPLY_MESSAGE_BYTES } from './reply-outline.js';

export interface ReplyPublisher {
  /**
   * Resolves when the broker has the message safe; rejects with ReplyQueueGone if nobody can read
   * it, with BrokerUnavailable if the queue is out of reach for now.
   */
  publish(message: ReplyMessage): Promise<void>;
}

export interface ReplyPublishers {
  to(identifier: string): ReplyPublisher;
}

/** Publishers to any task's reply queue, through one channel. */
export function replyPublishers(channel: ConfirmChannel, broker: Broker): ReplyPublishers {
  const { replyExchange } = broker.topology;
  // A message that no queue takes comes back before its confirm, which says nothing of that.
  const returned = new Set<string>();
  channel.on('return', ({ properties }) => returned.add(String(properties.messageId)));
  let published = 0;

  return {
    to(identifier) {
      return {
        publish(message) {
          const body = encodeMessage(message);
          // No poll would show it.
          if (body.length > REPLY_MESSAGE_BYTES) {
            return Promise.reject(new BrokerError(`a reply of ${body.length} bytes is too large`));
          }
          const messageId = String(++published);
          const options = {
            persistent: true,
            mandatory: true,
            messageId,
            contentType: 'application/json',
            headers: outlineHeaders(message),
          };
          return new Promise((resolve, reject) => {
            channel.publish(replyExchange, identifier, body, options, (error: unknown) => {
              if (returned.delete(messageId) || isRefusal(error)) void whyRefused(broker, identifier).then(reject);
              else if (error) reject(new BrokerUnavailable((error as Error).message));
              else resolve();
            });
          });
        },
      };
    },
  };
}

/** Of the broker: it answered, and did not take the message. Else the channel was lost. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.message === 'message nacked';
}

/** Why a message did not get into a reply queue: the broker tells whoever asks for the queue. */
async function whyRefused(broker: Broker, identifier: string): Promise<Error> {
  const fault = await queueError(broker, broker.topology.replyQueue(identifier));
  return fault ?? new BrokerError(`the reply queue of ${identifier} refused a message`);
}
