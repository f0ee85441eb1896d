import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { connect } from 'amqplib';
import type Docker from 'dockerode';

import { freePort } from './ports.js';
import { Problem } from './report.js';

const HANDSHAKE_MS = 3_000;
/** The broker at AMQP_URL may still be starting. */
const GIVEN_MS = 10_000;
const START_MS = 120_000;
const POLL_MS = 50;
const STOP_S = 3;
const LOG_TAIL_LINES = 20;
const CONTROL = '/usr/lib/rabbitmq/bin/rabbitmqctl';

/** Waits for the broker at AMQP_URL. @throws Problem if it does not answer */
export async function findBroker(url: string): Promise<void> {
  for (const deadline = performance.now() + GIVEN_MS; ; await sleep(500)) {
    const refusal = await refusalOf(url);
    if (refusal === undefined) return;
    if (performance.now() < deadline) continue;
    throw new Problem(
      `AMQP_URL=${withoutPassword(url)} has not answered for ${GIVEN_MS / 1000} s (${refusal}). Start that broker, or unset AMQP_URL to have one started.`,
    );
  }
}

export async function brokerAnswers(url: string): Promise<boolean> {
  return (await refusalOf(url)) === undefined;
}

/** Removes the password for a terminal or a log. */
export function withoutPassword(url: string): string {
  return url.replace(/:[^:@/]*@/, '@');
}

/** Why a broker refuses the connection; undefined if it accepts. */
async function refusalOf(url: string): Promise<string | undefined> {
  try {
    const connection = await connect(url, { timeout: HANDSHAKE_MS });
    connection.on('error', () => {}); // The broker has accepted the connection; later errors do not matter.
    await connection.close();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The broker of the compose file in a container of its own. */
export interface OwnBroker {
  /** Addresses for its users; `operator` has all rights in the virtual host. */
  readonly urls: Readonly<Record<'widget' | 'worker' | 'operator', string>>;
  /** Runs rabbitmqctl and resolves with its output. */
  control(...args: string[]): Promise<string>;
  /** Stops it, at once with SIGKILL; its data stays. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Starts a stopped broker at the same address; resolves when it answers. */
  start(): Promise<void>;
  /** The complete log. */
  log(): Promise<string>;
  remove(): Promise<void>;
}

export interface BrokerOptions {
  readonly image: string;
  /** Name of the container, and prefix of the queues that its users may use. */
  readonly namespace: string;
  /** Keeps its data from one container to the next; without one, the data goes with the container. */
  readonly volume?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts it on a port of 127.0.0.1, or of the machine that DOCKER_HOST names; resolves when it answers. */
export async function startBroker(
  docker: Docker,
  { image, namespace, volume, env = {} }: BrokerOptions,
  signal?: AbortSignal,
): Promise<OwnBroker> {
  const port = await freePort();
  const host = engineHost();
  signal?.throwIfAborted();
  const passwords = { widget: randomPassword(), worker: randomPassword(), operator: randomPassword() };
  const settings = {
    NAMESPACE: namespace,
    ...Object.fromEntries(
      Object.entries(passwords).map(([user, password]) => [`${user.toUpperCase()}_BROKER_PASSWORD`, password]),
    ),
    ...env,
  };
  const container = await docker.createContainer({
    name: `${namespace}-broker`,
    Image: image,
    Hostname: 'broker', // RabbitMQ names its data folder after its host.
    Labels: { 'code-widgets.broker': namespace },
    Env: Object.entries(settings).map(([name, value]) => `${name}=${value}`),
    HostConfig: {
      CapDrop: ['ALL'],
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
      PortBindings: { '5672/tcp': [{ HostIp: host === '127.0.0.1' ? host : '', HostPort: String(port) }] },
      ...(volume !== undefined && { Binds: [`${volume}:/var/lib/rabbitmq`] }),
    },
  });
  const urlOf = (user: keyof typeof passwords) => `amqp://${user}:${passwords[user]}@${host}:${port}/widgets`;
  const urls = { widget: urlOf('widget'), worker: urlOf('worker'), operator: urlOf('operator') };
  // Removes the 8 bytes that Docker puts before each chunk.
  const log = async () =>
    Buffer.from(
      (await container.logs({ stdout: true, stderr: true })).toString('latin1').replace(/[\0-\x02]\0{3}[^]{4}/g, ''),
      'latin1',
    ).toString();
  const fail = async (what: string) => {
    throw new Problem(`RabbitMQ ${what}:\n${(await log()).trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')}`);
  };
  const broker: OwnBroker = {
    urls,
    log,
    control: (...args) => execute(container, [CONTROL, '--quiet', ...args]),
    async start() {
      signal?.throwIfAborted();
      await container.start();
      for (
        const deadline = performance.now() + START_MS;
        !(await brokerAnswers(urls.operator));
        await sleep(POLL_MS, undefined, signal && { signal })
      ) {
        if (!(await container.inspect()).State.Running) await fail('has ended');
        if (performance.now() > deadline)
          await fail(
            `has not answered at ${host}:${port} for ${START_MS / 1000} s. If the engine is on another machine, set AMQP_URL`,
          );
      }
    },
    async stop(name) {
      await (name === 'SIGKILL' ? container.kill({ signal: name }) : container.stop({ t: STOP_S }));
    },
    async remove() {
      await container.remove({ force: true, v: true });
    },
  };
  await broker.start();
  return broker;
}

/** The host on which container ports are published. */
function engineHost(): string {
  const { protocol, hostname } = new URL(process.env.DOCKER_HOST ?? 'unix:///');
  return protocol === 'unix:' || hostname === 'localhost' ? '127.0.0.1' : hostname;
}

const randomPassword = () => randomBytes(16).toString('hex');

async function execute(container: Docker.Container, Cmd: string[]): Promise<string> {
  const exec = await container.exec({ Cmd, AttachStdout: true, AttachStderr: true, Tty: true });
  const stream = await exec.start({ Tty: true });
  let output = '';
  for await (const chunk of stream) output += String(chunk);
  // The engine learns the status a little later than the end of the output.
  let state = await exec.inspect();
  for (; state.Running; state = await exec.inspect()) await sleep(POLL_MS);
  const { ExitCode } = state;
  if (ExitCode !== 0) throw new Error(`${Cmd.join(' ')} failed (${ExitCode}):\n${output}`);
  return output.replaceAll('\r\n', '\n');
}
