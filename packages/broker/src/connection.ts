/**
 * The connection to RabbitMQ: opened once, recovered for ever. What needs the broker asks for a
 * channel and gets one, or BrokerUnavailable within a bound; a channel is not recovered, its owner
 * opens another.
 */
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

/** A broker that has not answered a request for so long is taken to be out of reach. */
const ANSWER_TIMEOUT_MS = 4000;
/** The peer is considered dead after two missed heartbeats. */
const HEARTBEAT_S = 5;
/** Reconnecting soon after a restart matters more than sparing a broker on the same network. */
const RECONNECT_MAX_DELAY_MS = 1000;
/** A try takes 4 s at most, and a second lies between two. */
const RECONNECTING_MS = 15_000;

/** What this package throws: an error whose kind says what the caller can do. */
export class BrokerError extends Error {}

const REDECLARED =
  'a queue is there with other arguments than this version or these settings have: ' +
  'set WAITING_TASKS as it was, or delete the queue when it is empty';
const MISSING =
  'a queue or exchange is not there, and this user may not declare it: ' +
  'import rabbitmq/definitions.json into the broker, for this NAMESPACE';

/** 3.x is out of support, and counts and requeues in other ways. */
const OLDEST_MAJOR = 4;

/** AMQP's reply code for what a user has no right to. */
const ACCESS_REFUSED = 403;

/** The broker cannot be reached now: the caller's request may be tried again later. */
export class BrokerUnavailable extends BrokerError {
  override name = 'BrokerUnavailable';
}

/** It was asked, and was silent. */
class NoAnswer extends BrokerUnavailable {}

/** What the package says goes to the app's logger; pino's signature. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The values of BROKER_SETTINGS. */
export interface BrokerSettings extends TopologySettings {
  AMQP_URL: string;
  AMQP_PASSWORD_FILE?: string;
}

export interface Broker {
  readonly topology: Topology;
  readonly log: Log;
  /** Whether the connection is up at this moment. */
  readonly connected: boolean;
  /** Whether one that is not up was tried for in the last 15 s. */
  readonly reconnecting: boolean;
  /** Whether the broker has said that it takes nothing for now: it then does not answer either. */
  readonly blocked: boolean;
  /** Resolves when the connection has been up for the first time, and what is shared is there. */
  ready(): Promise<void>;
  /**
   * What has to be answered within 4 s: rejects with BrokerUnavailable if it is not, and gives up a
   * connection on which nothing at all came meanwhile, so that the next one is tried at once.
   */
  call<T>(request: () => Promise<T>): Promise<T>;
  /** A new channel; throws BrokerUnavailable if none can be had within 4 s. */
  openChannel(): Promise<Channel>;
  /** The same with publisher confirms. */
  openConfirmChannel(): Promise<ConfirmChannel>;
  close(): Promise<void>;
}

/**
 * Starts connecting and returns at once: an app must come up, and say 503, without its broker.
 * Throws if AMQP_PASSWORD_FILE cannot be read. Who is not to make a namespace by misspelling one
 * sets `declare` to false: what is shared has to be there then.
 */
export async function connectBroker(settings: BrokerSettings, log: Log, { declare = true } = {}): Promise<Broker> {
  const topology = createTopology(settings);
  /** Of the connection that is there now. */
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
        refuseOld(model);
        await (declare ? ensureShared : checkShared)(model, topology);
      },
    },
  });
  const state = watch(connection, log);

  /**
   * Heartbeats, which come every few seconds, would notice a peer that has died in silence only after three
   * times as long.
   */
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
    // A broker that does not answer must not keep a process that is to end.
    close: () => brokerCall(() => connection.close()).catch(() => undefined),
  };
}

function refuseOld({ connection }: ChannelModel): void {
  const version = String(connection.serverProperties.version);
  if (parseInt(version) < OLDEST_MAJOR) throw new BrokerError(`RabbitMQ ${version} is too old: 4.0 or newer is needed`);
}

/** The address may name its own. */
function withHeartbeat(url: string): string {
  const address = new URL(url);
  if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', String(HEARTBEAT_S));
  return address.href;
}

/** The credentials, where the password comes from a file: it need not be fit for a URL. */
function passwordFromFile({ AMQP_URL, AMQP_PASSWORD_FILE }: BrokerSettings): {
  credentials?: ReturnType<typeof credentials.plain>;
} {
  const password = AMQP_PASSWORD_FILE === undefined ? '' : readFileSync(AMQP_PASSWORD_FILE, 'utf8').replace(/\n+$/, '');
  if (password === '') return {};
  return { credentials: credentials.plain(decodeURIComponent(new URL(AMQP_URL).username), password) };
}

/** Declares what is shared; where this user has no right to, it has to be there already. */
async function ensureShared(model: ChannelModel, topology: Topology): Promise<void> {
  try {
    await onChannelOfItsOwn(model, (channel) => topology.declareShared(channel));
  } catch (error) {
    if ((error as { code?: number }).code !== ACCESS_REFUSED) throw error;
    await checkShared(model, topology);
  }
}

function checkShared(model: ChannelModel, topology: Topology): Promise<void> {
  return onChannelOfItsOwn(model, (channel) => topology.checkShared(channel));
}

/** What is refused costs the channel. */
async function onChannelOfItsOwn(model: ChannelModel, use: (channel: Channel) => Promise<void>): Promise<void> {
  const channel = await model.createChannel();
  // A refusal comes as a rejection and, again, as this event.
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

/** A channel that comes too late is closed again. */
async function openWithin<T extends Channel>(opening: Promise<T>): Promise<T> {
  let late = false;
  opening.then(
    (channel) => {
      // An 'error' event without a listener would end the process; 'close' follows it and is what owners watch.
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

/**
 * What the broker has to answer within 4 s. Whatever goes wrong is BrokerUnavailable, but for the
 * errors of this package, which say more.
 */
export async function brokerCall<T>(call: () => Promise<T>): Promise<T> {
  const message = new NoAnswer(`no answer within ${ANSWER_TIMEOUT_MS} ms`);
  try {
    return await pTimeout(call(), { milliseconds: ANSWER_TIMEOUT_MS, message });
  } catch (error) {
    throw error instanceof BrokerError ? error : new BrokerUnavailable((error as Error).message);
  }
}
