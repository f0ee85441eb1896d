/** The API's end of the task queue. A task is accepted when the broker has confirmed it. */
import type { ConfirmChannel } from 'amqplib';
import { encodeMessage, type TaskMessage } from '@code-widgets/protocol';

import { brokerCall, BrokerError, type Broker } from './connection.js';

export class TaskQueueFull extends BrokerError {
  override name = 'TaskQueueFull';
}

export interface TaskPublisher {
  /** Declares the task's reply queue, then publishes the task. Throws TaskQueueFull or BrokerUnavailable. */
  submit(task: TaskMessage): Promise<void>;
  /** `waiting`: tasks in the queue. `slots`: tasks that all workers together can run at a time. */
  load(): Promise<{ waiting: number; slots: number }>;
}

export function createTaskPublisher(broker: Broker): TaskPublisher {
  const { topology } = broker;
  let opening: Promise<ConfirmChannel> | undefined;
  /** Tasks that are being published, and perhaps not counted by the broker yet. */
  let admitted = 0;
  let settled = 0;

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
        // The broker enforces the limit as well, but with a delay, in which it accepts too many tasks.
        const settledBefore = settled;
        const { messageCount } = await open.checkQueue(topology.taskQueue);
        // A task that was confirmed after this request was sent may be missing in its count.
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
