/** A worker that breaks the guarantee that SABOTAGE names. */
import { connectBroker } from '@code-widgets/broker';
import { createDockerRuntime, createSandbox } from '@code-widgets/sandbox';
import type { ConfirmChannel } from 'amqplib';

import { startWorker, type WorkerParts } from '../../apps/worker/src/worker.js';
import type { SabotageName } from './sabotage.js';

/** Changes the worker's channels. */
const withChannels = (
  change: (channel: ConfirmChannel, isReply: (exchange: string) => boolean) => void,
): Partial<WorkerParts> => ({
  async connectBroker(...settings) {
    const broker = await connectBroker(...settings);
    const openConfirmChannel = async () => {
      const channel = await broker.openConfirmChannel();
      change(channel, (exchange) => exchange === broker.topology.replyExchange);
      return channel;
    };
    // The broker's getters are inherited.
    return Object.create(broker, { openConfirmChannel: { value: openConfirmChannel } }) as typeof broker;
  },
});

const SABOTAGES: Readonly<Record<SabotageName, Partial<WorkerParts>>> = {
  'early acknowledgement': withChannels((channel) => {
    const [consume, ack] = [channel.consume.bind(channel), channel.ack.bind(channel)];
    channel.consume = (queue, onMessage, options) =>
      consume(
        queue,
        (message) => {
          if (message) ack(message);
          onMessage(message);
        },
        options,
      );
    channel.ack = channel.reject = () => undefined;
  }),
  'two final messages': withChannels((channel, isReply) => {
    const publish = channel.publish.bind(channel);
    channel.publish = (exchange, key, content, ...rest) => {
      if (isReply(exchange) && content.includes('"kind":"final"')) publish(exchange, key, content, rest[0]);
      return publish(exchange, key, content, ...rest);
    };
  }),
  'containers stay': {
    createSandbox: (options) =>
      createSandbox(options, { ...createDockerRuntime(options), remove: () => Promise.resolve() }),
  },
};

await startWorker(process.env, { connectBroker, createSandbox, ...SABOTAGES[process.env.SABOTAGE as SabotageName] });
