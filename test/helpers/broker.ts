/** Connections to the run's real broker, with a namespace for each test file. */
import { connectBroker, type Broker } from '@code-widgets/broker';
import { connect } from 'amqplib';

import { environment } from './environment.js';
import { newNamespace } from './namespace.js';

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

export interface TestBroker {
  broker: Broker;
  namespace: string;
  /** Removes every queue and exchange of the namespace, then closes. */
  end(): Promise<void>;
}

export interface TestSettings {
  WAITING_TASKS?: number;
  REPLY_EXPIRY_MS?: number;
}

/** Connects with a new namespace. */
export async function connectTestBroker(settings: TestSettings = {}): Promise<TestBroker> {
  const namespace = newNamespace('b');
  const broker = await connectTo(namespace, settings);
  return {
    broker,
    namespace,
    async end() {
      await broker.close();
      await removeNamespace(environment('AMQP_URL'), namespace);
    },
  };
}

/** Opens another connection to a namespace, as another process would. */
export function connectTo(namespace: string, settings: TestSettings = {}): Promise<Broker> {
  return connectBroker(
    {
      AMQP_URL: environment('AMQP_URL'),
      NAMESPACE: namespace,
      WAITING_TASKS: 200,
      REPLY_EXPIRY_MS: 60_000,
      ...settings,
    },
    quiet,
  );
}

/** Removes the topology of a namespace and the reply queues of the given tasks. */
export async function removeNamespace(amqpUrl: string, namespace: string, identifiers: string[] = []): Promise<void> {
  const connection = await connect(amqpUrl);
  const channel = await connection.createChannel();
  for (const identifier of identifiers) await channel.deleteQueue(`${namespace}.reply.${identifier}`);
  for (const name of ['tasks', 'dead']) await channel.deleteQueue(`${namespace}.${name}`);
  for (const name of ['submit', 'dead', 'replies', 'attempts']) await channel.deleteExchange(`${namespace}.${name}`);
  await connection.close();
}

/** The number of messages in a queue of the run's broker. */
export async function messagesIn(queue: string): Promise<number> {
  const connection = await connect(environment('AMQP_URL'));
  const channel = await connection.createChannel();
  const { messageCount } = await channel.checkQueue(queue);
  await connection.close();
  return messageCount;
}
