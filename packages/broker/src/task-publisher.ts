/** The widget's end of the task queue: a task is accepted when the broker has confirmed it. */
import type { ConfirmChannel } from 'amqplib';
import { encodeMessage, type TaskMessage } from '@code-widgets/protocol';

import { brokerCall, BrokerError, type Broker } from './connection.js';

/** The queue is at its limit: the task was not accepted. */
export class TaskQueueFull extends BrokerError {
  override name = 'TaskQueueFull';
}

export interface TaskPublisher {
  /** Opens the task's reply queue, then publishes it. Throws TaskQueueFull or BrokerUnavailable. */
  submit(task: TaskMessage): Promise<void>;
  /** How many tasks wait, and how many could be worked on at the same time. */
  load(): Promise<{ waiting: number; slots: number }>;
}

export function createTaskPublisher(broker: Broker): TaskPublisher {
  const { topology } = broker;
  let opening: Promise<ConfirmChannel> | undefined;
  /** Let in, and perhaps not yet counted by the broker. */
  let admitted = 0;
  /** How many have been admitted and are confirmed, or have failed. */
  let settled = 0;

  /** The publisher's channel, opened at first use and again after it was lost. */
  function channel(): Promise<ConfirmChannel> {
    if (opening) return opening;
    const mine = broker.openConfirmChannel();
    const forget = () => {
      if (opening === mine) opening = undefined;
    };
    mine.then((opened) => opened.once('close', forget), forget);
    return (opening = mine);
  }

  return {
    async submit(task) {
      await broker.call(async () => {
        const open = await channel();
        // The broker refuses what is over the limit as well, but says so a moment late: what comes
        // in that moment it lets in.
        const settledBefore = settled;
        const { messageCount } = await open.checkQueue(topology.taskQueue);
        // What was confirmed since the count was asked for is in it or not: it is taken not to be.
        if (messageCount + admitted + settled - settledBefore >= topology.waitingTasks) throw new TaskQueueFull();
        admitted++;
        try {
          await topology.declareReplyQueue(open, task.identifier);
          await publishTask(open, topology.taskExchange, topology.taskRoutingKey, task);
        } catch (error) {
          await open.deleteQueue(topology.replyQueue(task.identifier));
          throw error;
        } finally {
          admitted--;
          settled++;
        }
      });
    },
    load: () =>
      brokerCall(async () => {
        const { messageCount, consumerCount } = await (await channel()).checkQueue(topology.taskQueue);
        return { waiting: messageCount, slots: consumerCount };
      }),
  };
}

function publishTask(channel: ConfirmChannel, exchange: string, key: string, task: TaskMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    let unroutable = false;
    const onReturn = ({ properties }: { properties: { messageId?: unknown } }) => {
      unroutable ||= properties.messageId === task.identifier;
    };
    channel.on('return', onReturn);
    const options = { persistent: true, mandatory: true, messageId: task.identifier, contentType: 'application/json' };
    channel.publish(exchange, key, encodeMessage(task), options, (error: unknown) => {
      channel.off('return', onReturn);
      if (unroutable) reject(new Error('no task queue is bound'));
      else if (error) reject(new TaskQueueFull());
      else resolve();
    });
  });
}
