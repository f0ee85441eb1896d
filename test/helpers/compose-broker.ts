/** The broker of the compose file in a test's own container, and its two users. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { connect, credentials, type ChannelModel } from 'amqplib';

import { environment } from './environment.js';
import { eventually } from './eventually.js';
import { dockerCommand } from './images-engine.js';

const START_MS = 120_000;
const REFUSAL_MS = 20_000;
const WAITING_TASKS = '150';

/** The widget's password comes from the environment. The worker's is not valid in a URL and comes from a file. */
const PASSWORDS = { widget: 'of_a-test', worker: 'ä @:/%41 "$x"', guest: 'guest' };
export type BrokerUser = keyof typeof PASSWORDS;

export interface ComposeBroker {
  readonly namespace: string;
  /** The settings with which each app reaches it. */
  readonly settings: Record<'widget' | 'worker', Record<string, string>>;
  connect(user: BrokerUser): Promise<ChannelModel>;
  /** Runs a command in the container and resolves with its output. */
  exec(...command: string[]): Promise<string>;
  /** The complete log. */
  log(): Promise<string>;
  end(): Promise<void>;
}

/** @param purpose part of its namespace */
export async function startComposeBroker(purpose: string): Promise<ComposeBroker> {
  const image = environment('BROKER_IMAGE');
  const namespace = `${environment('NAMESPACE')}-${purpose}`;
  const folder = mkdtempSync(join(tmpdir(), `code-widgets-${process.env.RUN_ID ?? 'rights'}-`));
  const workerPasswordFile = join(folder, 'worker');
  writeFileSync(workerPasswordFile, `${PASSWORDS.worker}\n`);
  const env = {
    NAMESPACE: namespace,
    WAITING_TASKS,
    WIDGET_BROKER_PASSWORD: PASSWORDS.widget,
    WORKER_BROKER_PASSWORD_FILE: '/run/secrets/worker',
  };
  const { stdout: container } = await dockerCommand([
    ...['run', '--detach', '--name', `${namespace}-broker`, '--hostname', 'broker', '--cap-drop', 'ALL'],
    ...['--publish', '127.0.0.1::5672', '--volume', `${workerPasswordFile}:/run/secrets/worker:ro`],
    ...options(env),
    image,
  ]);
  const id = container.trim();
  const { stdout: address } = await dockerCommand(['port', id, '5672/tcp']);
  const at = `${address.split('\n')[0]}/widgets`;
  const settings = {
    widget: { AMQP_URL: `amqp://widget:${PASSWORDS.widget}@${at}`, WAITING_TASKS },
    worker: { AMQP_URL: `amqp://worker@${at}`, AMQP_PASSWORD_FILE: workerPasswordFile, WAITING_TASKS },
  };
  const connectAs = async (user: BrokerUser) => {
    const connection = await connect(`amqp://${at}`, { credentials: credentials.plain(user, PASSWORDS[user]) });
    connection.on('error', () => undefined); // The connection then closes, which fails its calls.
    return connection;
  };
  const end = async () => {
    await dockerCommand(['rm', '--force', '--volumes', id]);
    rmSync(folder, { recursive: true });
  };
  const answers = () =>
    connectAs('widget').then(
      (connection) => connection.close().then(() => true),
      () => false,
    );
  await eventually('the broker answers', answers, { limitMs: START_MS, everyMs: 200 }).catch(async (cause: unknown) => {
    const { stdout, stderr } = await dockerCommand(['logs', '--tail', '20', id]);
    await end();
    throw new Error(`The broker has not answered. Its log says why:\n${stdout}${stderr}`, { cause });
  });
  const exec = async (...command: string[]) => (await dockerCommand(['exec', id, ...command])).stdout;
  const log = async () => {
    const { stdout, stderr } = await dockerCommand(['logs', id]);
    return stdout + stderr;
  };
  return { namespace, settings, connect: connectAs, exec, log, end };
}

const options = (env: Record<string, string>) =>
  Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]);

/** Runs the image with this environment and resolves with its error message. */
export async function refusalOf(env: Record<string, string>): Promise<string> {
  const image = environment('BROKER_IMAGE');
  const name = `${environment('NAMESPACE')}-refusal`;
  try {
    await dockerCommand(['run', '--name', name, ...options(env), image], { timeout: REFUSAL_MS });
    return 'it ended as if all were well';
  } catch (error) {
    return (error as { stderr: string }).stderr.trim();
  } finally {
    await dockerCommand(['rm', '--force', '--volumes', name]);
  }
}
