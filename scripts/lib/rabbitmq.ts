import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { brokerAnswers } from './broker.js';
import { exitOf, type Instance, tail } from './instance.js';
import { hasCommand, type Need, systemPath } from './packages.js';
import { freePort } from './ports.js';
import { Problem } from './report.js';

/**
 * The server itself. The command of the same name in /usr/sbin turns to the user rabbitmq and to
 * the one home in /var/lib, which belongs to the machine's own broker.
 */
const SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const CONTROL = '/usr/lib/rabbitmq/bin/rabbitmqctl';
const START_MS = 60_000;
const POLL_MS = 100;

export const rabbitmqNeed: Need = {
  debianPackage: 'rabbitmq-server',
  purpose: 'a message broker (or set AMQP_URL to one that runs elsewhere)',
  isMissing: () => !existsSync(SERVER) || !hasCommand('epmd'),
};

/** A RabbitMQ of an instance's own. */
export interface OwnBroker {
  readonly url: string;
  /** Writes all that is declared in it, as JSON, into a file. */
  readonly exportDefinitions: (path: string) => Promise<void>;
  /** Runs rabbitmqctl to its end with its output in `<folder>/<log>`. */
  readonly control: (log: string, ...args: string[]) => Promise<void>;
  /** Resolves when it answers, at its address of before if it is started again. */
  readonly start: () => Promise<void>;
  /** Resolves when it has ended. */
  readonly stop: (signal: NodeJS.Signals) => Promise<void>;
}

/** Starts Debian's RabbitMQ for one instance; resolves when it answers. */
export async function startRabbitmq(instance: Instance): Promise<OwnBroker> {
  const broker = await prepareRabbitmq(instance);
  await broker.start();
  return broker;
}

/**
 * Debian's RabbitMQ, not yet started: everything that it keeps is in the instance's folder, and all
 * it listens on are free ports of 127.0.0.1.
 */
async function prepareRabbitmq(instance: Instance): Promise<OwnBroker> {
  const home = join(instance.folder, 'rabbitmq');
  mkdirSync(home, { recursive: true });
  const [amqpPort, distributionPort, epmdPort] = await Promise.all([freePort(), freePort(), freePort()]);
  writeSettings(home, amqpPort);
  const env = environment(instance.folder, home, distributionPort, epmdPort);
  const logPath = join(home, 'server.log');
  writeFileSync(logPath, '');
  const spawn = (role: 'epmd' | 'broker', command: string, args: string[]) => {
    const log = openSync(logPath, 'a');
    try {
      return instance.start(role, command, args, { env, stdio: ['ignore', log, log] });
    } finally {
      closeSync(log);
    }
  };
  // Erlang would start epmd, its name service, as a daemon that outlives it. One that runs already
  // is used instead, and this one is our child.
  spawn('epmd', 'epmd', ['-port', String(epmdPort), '-address', '127.0.0.1']);
  const url = `amqp://guest:guest@127.0.0.1:${amqpPort}`;
  const control = (log: string, ...args: string[]) => instance.run(log, CONTROL, args, { env });
  let server: { kill: (signal: NodeJS.Signals) => void; exit: Promise<number | string> } | undefined;
  return {
    url,
    control,
    exportDefinitions: (path) => control('rabbitmqctl.log', 'export_definitions', path),
    async start() {
      const child = spawn('broker', SERVER, []);
      const exit = exitOf(child);
      server = { kill: (signal) => void child.kill(signal), exit };
      const ended = exit.then((status) => {
        throw new Problem(`RabbitMQ has ended (${status}):\n${tail(logPath)}`);
      });
      ended.catch(() => {}); // Heard while starting; later its connections tell.
      await Promise.race([untilItAnswers(url, logPath, instance.signal), ended]);
    },
    async stop(signal) {
      server?.kill(signal);
      await server?.exit;
    },
  };
}

/** Where the broker in an instance's folder listens, of which its record says whether it runs. */
export function ownBrokerUrl(folder: string): string {
  const [, address] = /^listeners\.tcp\.local = (.*)$/m.exec(readFileSync(join(folder, 'rabbitmq', 'rabbitmq.conf'), 'utf8')) ?? [];
  return `amqp://guest:guest@${address}`;
}

function writeSettings(home: string, amqpPort: number): void {
  writeFileSync(
    join(home, 'rabbitmq.conf'),
    `listeners.tcp.local = 127.0.0.1:${amqpPort}\nlog.file = false\nlog.console = true\nlog.console.level = warning\nlog.channel.level = critical\n`,
  );
  writeFileSync(join(home, 'enabled_plugins'), '[].\n');
  const cookie = join(home, '.erlang.cookie');
  // Kept from run to run with the data; Erlang wants it unreadable for others.
  if (!existsSync(cookie)) writeFileSync(cookie, randomBytes(20).toString('hex'), { mode: 0o400 });
}

function environment(folder: string, home: string, distributionPort: number, epmdPort: number): NodeJS.ProcessEnv {
  // The data belongs to a node of this name, so it has to be the same each time.
  const name = `code-widgets-${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
  return {
    PATH: systemPath,
    HOME: home,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(epmdPort),
    RABBITMQ_NODENAME: `${name}@localhost`,
    RABBITMQ_DIST_PORT: String(distributionPort),
    // The distribution port would listen on all addresses.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_CONFIG_FILE: join(home, 'rabbitmq.conf'),
    // Files that are not there, so that those of the machine's own broker in /etc do not count.
    RABBITMQ_CONF_ENV_FILE: join(home, 'rabbitmq-env.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(home, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(home, 'data'),
    RABBITMQ_LOG_BASE: join(home, 'log'),
    RABBITMQ_SCHEMA_DIR: join(home, 'schema'),
    RABBITMQ_PID_FILE: join(home, 'pid'),
    // Makes the script become the server, not its parent: our signals reach the server itself.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
}

async function untilItAnswers(url: string, logPath: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (!(await brokerAnswers(url))) {
    if (performance.now() > deadline) throw new Problem(`RabbitMQ does not answer:\n${tail(logPath)}`);
    await sleep(POLL_MS, undefined, { signal });
  }
}
