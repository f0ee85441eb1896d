/** The connection to RabbitMQ. It reconnects for ever. A lost channel is not recovered: its owner opens another. */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

import {
  connect,
  credentials,
  type Channel,
  type ChannelModel,
  type ConfirmChannel,
  type RecoveringChannelModel,
} from 'amqplib';
import pTimeout from 'p-timeout';

import { createTopology, type Topology, type TopologySettings } from './topology.js';

const ANSWER_TIMEOUT_MS = 4000;
/** A peer that sends nothing for two intervals is considered dead. amqplib notices it within three (15 s). */
const HEARTBEAT_S = 5;
/** Reconnecting soon after a restart matters more than the load on the broker. */
const RECONNECT_MAX_DELAY_MS = 1000;
/**
 * `reconnecting` is true until this long after a loss or a failed attempt: the time of three attempts (4 s each, 1 s
 * apart).
 */
const RECONNECTING_MS = 15_000;

/** Base class of the errors of this package. The subclass says what the caller can do. */
export class BrokerError extends Error {}

const REDECLARED =
  'a queue is there with other arguments than this version or these settings have: ' +
  'set WAITING_TASKS as it was, or delete the queue when it is empty';
const MISSING =
  'a queue or exchange is not there, and this user may not declare it: ' +
  'import rabbitmq/definitions.json into the broker, for this NAMESPACE';

/** RabbitMQ 3.x is out of support, and counts deliveries and requeues differently. */
const OLDEST_MAJOR = 4;

const ACCESS_REFUSED = 403;

/** The broker cannot be reached now. The caller may retry later. */
export class BrokerUnavailable extends BrokerError {
  override name = 'BrokerUnavailable';
}

class NoAnswer extends BrokerUnavailable {}

export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface BrokerSettings extends TopologySettings {
  AMQP_URL: string;
  AMQP_PASSWORD_FILE?: string;
}

export interface Broker {
  readonly topology: Topology;
  readonly log: Log;
  readonly connected: boolean;
  /** Whether the connection is down, and an attempt was made in the last 15 s. */
  readonly reconnecting: boolean;
  /**
   * Whether the broker has blocked the connection, as in a memory or disk alarm. A blocked connection gets no answers.
   */
  readonly blocked: boolean;
  /** Resolves when the first connection is up and the shared queues and exchanges exist. */
  ready(): Promise<void>;
  /**
   * Runs `request` for at most 4 s. Rejects with BrokerUnavailable. Destroys a connection on which nothing arrived in
   * this time.
   */
  call<T>(request: () => Promise<T>): Promise<T>;
  /** Both methods reject with BrokerUnavailable if no channel opens within 4 s. */
  openChannel(): Promise<Channel>;
  openConfirmChannel(): Promise<ConfirmChannel>;
  close(): Promise<void>;
}

/**
 * Starts connecting and resolves at once: an app must start, and answer 503, without its broker. Throws if
 * AMQP_PASSWORD_FILE cannot be read. With `declare: false` the shared queues must exist, so that a misspelled
 * NAMESPACE does not create new ones.
 */
export async function connectBroker(settings: BrokerSettings, log: Log, { declare = true } = {}): Promise<Broker> {
  const topology = createTopology(settings);
  let socket: Socket | undefined;
  const connection = await connect(withHeartbeat(settings.AMQP_URL), {
    noDelay: true,
    timeout: ANSWER_TIMEOUT_MS,
    ...passwordFromFile(settings),
    recovery: {
      waitForConnect: false,
      maxDelay: RECONNECT_MAX_DELAY_MS,
      setup: async (model: ChannelModel) => {
        socket = (model.connection as unknown as { stream: Socket }).stream;
        refuseOldVersion(model);
        await (declare ? ensureShared : checkShared)(model, topology);
      },
    },
  });
  const state = watch(connection, log);

  /** Destroys a connection on which nothing arrived during the request: heartbeats can take up to 15 s to notice. */
  async function call<T>(request: () => Promise<T>): Promise<T> {
    const [asked, received] = [socket, socket?.bytesRead];
    try {
      return await brokerCall(request);
    } catch (error) {
      if (error instanceof NoAnswer && asked === socket && received === socket?.bytesRead) socket?.destroy(error);
      throw error;
    }
  }

  return {
    topology,
    log,
    get connected() {
      return state.connected;
    },
    get blocked() {
      return state.blocked;
    },
    get reconnecting() {
      return !state.connected && performance.now() - state.changedAt < RECONNECTING_MS;
    },
    ready: async () => void (await connection.waitForConnect()),
    call,
    openChannel: () => call(() => openWithin(connection.createChannel())),
    openConfirmChannel: () => call(() => openWithin(connection.createConfirmChannel())),
    // A broker that does not answer must not delay the end of the process.
    close: () => brokerCall(() => connection.close()).catch(() => undefined),
  };
}

function refuseOldVersion({ connection }: ChannelModel): void {
  const version = String(connection.serverProperties.version);
  if (parseInt(version) < OLDEST_MAJOR) throw new BrokerError(`RabbitMQ ${version} is too old: 4.0 or newer is needed`);
}

function withHeartbeat(url: string): string {
  const address = new URL(url);
  if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', String(HEARTBEAT_S));
  return address.href;
}

/** A password from a file need not be encoded for a URL. */
function passwordFromFile({ AMQP_URL, AMQP_PASSWORD_FILE }: BrokerSettings): {
  credentials?: ReturnType<typeof credentials.plain>;
} {
  const password = AMQP_PASSWORD_FILE === undefined ? '' : readFileSync(AMQP_PASSWORD_FILE, 'utf8').replace(/\n+$/, '');
  if (password === '') return {};
  return { credentials: credentials.plain(decodeURIComponent(new URL(AMQP_URL).username), password) };
}

async function ensureShared(model: ChannelModel, topology: Topology): Promise<void> {
  try {
    await onSeparateChannel(model, (channel) => topology.declareShared(channel));
  } catch (error) {
    if ((error as { code?: number }).code !== ACCESS_REFUSED) throw error;
    await checkShared(model, topology);
  }
}

function checkShared(model: ChannelModel, topology: Topology): Promise<void> {
  return onSeparateChannel(model, (channel) => topology.checkShared(channel));
}

/** On a channel of its own, because the broker closes a channel on which it refuses a request. */
async function onSeparateChannel(model: ChannelModel, use: (channel: Channel) => Promise<void>): Promise<void> {
  const channel = await model.createChannel();
  // amqplib reports a refusal as a rejection and as this event.
  channel.on('error', () => undefined);
  await use(channel);
  await channel.close();
}

function watch(
  connection: RecoveringChannelModel,
  log: Log,
): { connected: boolean; blocked: boolean; changedAt: number } {
  const state = { connected: false, blocked: false, changedAt: performance.now() };
  for (const event of ['connect', 'disconnect', 'connect-failed'])
    connection.on(event, () => (state.changedAt = performance.now()));
  connection.on('connect', () => {
    state.connected = true;
    log.info({}, 'broker connected');
  });
  connection.on('disconnect', (error) => {
    Object.assign(state, { connected: false, blocked: false });
    log.warn({ reason: error.message }, 'broker connection lost, reconnecting');
  });
  connection.on('connect-failed', (error) => {
    if (/PRECONDITION_FAILED/.test(error.message)) log.error({ reason: error.message }, REDECLARED);
    else if (/NOT_FOUND/.test(error.message)) log.error({ reason: error.message }, MISSING);
    else log.warn({ reason: error.message }, 'broker cannot be reached');
  });
  connection.on('error', (error) => log.warn({ reason: error.message }, 'broker connection error'));
  connection.on('blocked', (reason) => {
    state.blocked = true;
    log.warn({ reason }, 'broker takes no messages');
  });
  connection.on('unblocked', () => (state.blocked = false));
  return state;
}

async function openWithin<T extends Channel>(opening: Promise<T>): Promise<T> {
  let late = false;
  opening.then(
    (channel) => {
      // An 'error' event without a listener ends the process. Owners watch 'close', which follows it.
      channel.on('error', () => undefined);
      if (late) channel.close().catch(() => undefined);
    },
    () => undefined,
  );
  try {
    return await brokerCall(() => opening);
  } catch (error) {
    late = true;
    throw error;
  }
}

/** Limits `call` to 4 s. Turns every error except a BrokerError into BrokerUnavailable. */
export async function brokerCall<T>(call: () => Promise<T>): Promise<T> {
  const message = new NoAnswer(`no answer within ${ANSWER_TIMEOUT_MS} ms`);
  try {
    return await pTimeout(call(), { milliseconds: ANSWER_TIMEOUT_MS, message });
  } catch (error) {
    throw error instanceof BrokerError ? error : new BrokerUnavailable((error as Error).message);
  }
}
