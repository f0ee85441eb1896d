/**
 * The connection to RabbitMQ: opened once, recovered for ever. What needs the broker asks for a
 * channel and gets one, or BrokerUnavailable within a bound; a channel is not recovered, its owner
 * opens another.
 */
import { connect, type Channel, type ChannelModel, type ConfirmChannel, type RecoveringChannelModel } from 'amqplib';

import { createTopology, type Topology, type TopologySettings } from './topology.js';

/** A broker that has not answered a request for so long is taken to be out of reach. */
const CHANNEL_TIMEOUT_MS = 4000;
const HEARTBEAT_S = 10;
/** Reconnecting soon after a restart matters more than sparing a broker on the same network. */
const RECONNECT_MAX_DELAY_MS = 1000;

/** The broker cannot be reached now: the caller's request may be tried again later. */
export class BrokerUnavailable extends Error {
  override name = 'BrokerUnavailable';
}

/** What the package says goes to the app's logger; pino's signature. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The values of BROKER_SETTINGS. */
export interface BrokerSettings extends TopologySettings {
  AMQP_URL: string;
}

export interface Broker {
  readonly topology: Topology;
  readonly log: Log;
  /** Whether the connection is up at this moment. */
  readonly connected: boolean;
  /** A new channel; throws BrokerUnavailable if none can be had within 4 s. */
  openChannel(): Promise<Channel>;
  /** The same with publisher confirms. */
  openConfirmChannel(): Promise<ConfirmChannel>;
  close(): Promise<void>;
}

/** Starts connecting and returns at once: an app must come up, and say 503, without its broker. */
export async function connectBroker(settings: BrokerSettings, log: Log): Promise<Broker> {
  const topology = createTopology(settings);
  const connection = await connect(withHeartbeat(settings.AMQP_URL), {
    noDelay: true,
    timeout: CHANNEL_TIMEOUT_MS,
    recovery: {
      waitForConnect: false,
      maxDelay: RECONNECT_MAX_DELAY_MS,
      async setup(model: ChannelModel) {
        const channel = await model.createChannel();
        // A refused declaration comes as a rejection and, again, as this event.
        channel.on('error', () => undefined);
        await topology.declareShared(channel);
        await channel.close();
      },
    },
  });
  const state = watch(connection, log);

  const within = <T extends Channel>(open: Promise<T>) =>
    withTimeout(open, CHANNEL_TIMEOUT_MS, () => new BrokerUnavailable(`no channel within ${CHANNEL_TIMEOUT_MS} ms`));
  return {
    topology,
    log,
    get connected() {
      return state.connected;
    },
    openChannel: () => within(connection.createChannel()),
    openConfirmChannel: () => within(connection.createConfirmChannel()),
    close: () => connection.close(),
  };
}

/** A peer that died in silence is noticed after two missed heartbeats; the address may name its own. */
function withHeartbeat(url: string): string {
  const address = new URL(url);
  if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', String(HEARTBEAT_S));
  return address.href;
}

function watch(connection: RecoveringChannelModel, log: Log): { connected: boolean } {
  const state = { connected: false };
  connection.on('connect', () => {
    state.connected = true;
    log.info({}, 'broker connected');
  });
  connection.on('disconnect', (error) => {
    state.connected = false;
    log.warn({ reason: error.message }, 'broker connection lost, reconnecting');
  });
  connection.on('connect-failed', (error) => log.warn({ reason: error.message }, 'broker cannot be reached'));
  connection.on('error', (error) => log.warn({ reason: error.message }, 'broker connection error'));
  connection.on('blocked', (reason) => log.warn({ reason }, 'broker takes no messages'));
  return state;
}

/** `promise`, or the error of `late` after `ms`; a channel that comes after that is closed again. */
async function withTimeout<T extends Channel>(promise: Promise<T>, ms: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let expired = false;
  promise.then(
    (channel) => {
      // An 'error' event without a listener would end the process; 'close' follows it and is what owners watch.
      channel.on('error', () => undefined);
      if (expired) channel.close().catch(() => undefined);
    },
    () => undefined,
  );
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      expired = true;
      reject(late());
    }, ms);
  });
  try {
    return await Promise.race([promise, timeout]);
  } catch (error) {
    throw error instanceof BrokerUnavailable ? error : new BrokerUnavailable((error as Error).message);
  } finally {
    clearTimeout(timer);
  }
}
