/** The worker's end of a task's reply queue. */
import type { ConfirmChannel } from 'amqplib';
import { encodeMessage, type ReplyMessage } from '@code-widgets/protocol';

import { BrokerError, BrokerUnavailable, type Broker } from './connection.js';
import { queueError } from './queue-availability.js';
import { outlineHeaders, REPLY_MESSAGE_BYTES } from './reply-outline.js';

export interface ReplyPublisher {
  /**
   * Resolves after the broker's confirm. Rejects with ReplyQueueGone, BrokerUnavailable, or BrokerError (too large).
   */
  publish(message: ReplyMessage): Promise<void>;
}

export interface ReplyPublishers {
  to(identifier: string): ReplyPublisher;
}

export function replyPublishers(channel: ConfirmChannel, broker: Broker): ReplyPublishers {
  const { replyExchange } = broker.topology;
  // The broker returns an unroutable message, then confirms it like any other.
  const returned = new Set<string>();
  channel.on('return', ({ properties }) => returned.add(String(properties.messageId)));
  let published = 0;

  return {
    to(identifier) {
      return {
        publish(message) {
          const body = encodeMessage(message);
          // No poll could answer a larger message.
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
              if (returned.delete(messageId) || isRefusal(error)) void refusalReason(broker, identifier).then(reject);
              else if (error) reject(new BrokerUnavailable((error as Error).message));
              else resolve();
            });
          });
        },
      };
    },
  };
}

/** Whether the broker refused the message. Any other error means that the channel was lost. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.message === 'message nacked';
}

/** Checks the queue, because the broker's refusal gives no reason. */
async function refusalReason(broker: Broker, identifier: string): Promise<Error> {
  const fault = await queueError(broker, broker.topology.replyQueue(identifier));
  return fault ?? new BrokerError(`the reply queue of ${identifier} refused a message`);
}
