/**
 * The service as an operator runs it: built widget and worker processes, the run's broker and engine, and a
 * round robin. Each process ends with the deployment.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import Docker from 'dockerode';

import { appArguments } from '../../scripts/lib/app.js';
import { environment } from './environment.js';
import { removeNamespace } from './broker.js';
import { eventually } from './eventually.js';
import { httpProxy } from './http-proxy.js';
import { newNamespace } from './namespace.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** A start takes a second, but the machine may be slow and busy. */
const READY_MS = 60_000;

export interface DeploymentOptions {
  widgets?: number;
  workers?: number;
  /** Settings of every process; override those of the run. */
  env?: Record<string, string>;
  /** Settings of the processes of one app; override `env`. */
  envOf?: Partial<Record<'widget' | 'worker', Record<string, string>>>;
  /** Defaults to a new namespace. */
  namespace?: string;
}

export interface Deployment {
  /** Address of the round robin over the widgets. */
  base: string;
  /** Each widget with its address. */
  widgets: { base: string; process: ChildProcess }[];
  workers: ChildProcess[];
  namespace: string;
  /** Log lines of all processes so far, parsed from JSON. */
  log: () => Record<string, unknown>[];
  /** The log line of a task's end, which may follow its final message a moment later. */
  lineOfEnd: (identifier: string) => Promise<Record<string, unknown>>;
  addWorker: () => Promise<ChildProcess>;
  /** Starts a widget on another port and adds it to the round robin. */
  addWidget: () => Promise<void>;
  /** Ends all processes and removes the deployment's names from the broker. */
  end: () => Promise<void>;
}

export async function deploy({
  widgets = 2,
  workers = 2,
  env = {},
  envOf = {},
  namespace = newNamespace('d'),
}: DeploymentOptions = {}): Promise<Deployment> {
  const AMQP_URL = environment('AMQP_URL');
  const lines: string[] = [];
  const children: ChildProcess[] = [];
  // All tests are one client with many concurrent requests.
  const settings = {
    ...process.env,
    NAMESPACE: namespace,
    HOST: '127.0.0.1',
    RUNS_PER_MINUTE: '0',
    WAITING_TASKS_OF_CLIENT: '0',
    ...env,
  };
  const start = async (app: 'widget' | 'worker', more: Record<string, string> = {}) => {
    const child = spawn(process.execPath, appArguments(app), {
      cwd: ROOT,
      env: { ...settings, ...envOf[app], ...more },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    children.push(child);
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => lines.push(line));
    }
    await ready(child, lines);
    return child;
  };

  const endAll = () => Promise.all(children.map((child) => stop(child)));

  const startWidget = async (port: number) => ({
    base: `http://127.0.0.1:${port}`,
    process: await start('widget', { PORT: String(port) }),
  });

  const ports = await freePorts(widgets);
  const starting = Promise.all([
    Promise.all(ports.map(startWidget)),
    Promise.all(Array.from({ length: workers }, () => start('worker'))),
  ]);
  const started = await starting.catch(async (error: unknown) => {
    await endAll();
    await removeNamespace(AMQP_URL, namespace);
    await removeContainers(namespace);
    throw error;
  });
  const deployment = { widgets: started[0], workers: started[1] };
  const running = () => deployment.widgets.filter(({ process: child }) => isRunning(child));
  const proxy = await httpProxy(() => running().map(({ base }) => ({ host: '127.0.0.1', port: new URL(base).port })));

  return {
    ...deployment,
    base: proxy.address,
    namespace,
    log: () => lines.map(parseLine),
    lineOfEnd(identifier) {
      const linesOfTask = () => lines.filter((line) => line.includes(identifier)).map(parseLine);
      const find = () => linesOfTask().find(({ outcome }) => outcome !== undefined && outcome !== 'retry');
      return eventually(`a worker has logged the end of ${identifier}`, find, { everyMs: 20 });
    },
    async addWorker() {
      const worker = await start('worker');
      deployment.workers.push(worker);
      return worker;
    },
    async addWidget() {
      const [port] = (await freePorts(1)) as [number];
      deployment.widgets.push(await startWidget(port));
    },
    async end() {
      proxy.close();
      await endAll();
      const accepted = lines.map(parseLine).filter(({ msg }) => msg === 'task accepted');
      await removeNamespace(
        AMQP_URL,
        namespace,
        accepted.map(({ identifier }) => String(identifier)),
      );
      const left = await removeContainers(namespace);
      // A killed worker leaves its containers to the next sweep; a stopped one leaves none.
      if (left > 0 && children.every(({ signalCode }) => signalCode !== 'SIGKILL'))
        throw new Error(`${left} containers were left`);
    },
  };
}

export const isRunning = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;

/** Sends `signal` and waits for the end; resolves with the exit code, or null after a signal. */
export async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  if (isRunning(child)) {
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
  return child.exitCode;
}

async function ready(child: ChildProcess, lines: string[]): Promise<void> {
  const [first] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit'),
    new Promise((resolve) => setTimeout(() => resolve(['late']), READY_MS).unref()),
  ])) as unknown[];
  if (typeof first === 'object' && first !== null) return;
  child.kill('SIGKILL');
  const what =
    first === 'late' ? `was not ready within ${READY_MS / 1000} s` : `ended (${String(first)}) before it was ready`;
  throw new Error(`A widget or worker ${what}. The last lines of the log say why:\n${lines.slice(-20).join('\n')}`);
}

function parseLine(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return { text: line };
  }
}

/** The number of containers of a namespace, running or not. */
export async function containersOf(namespace: string): Promise<number> {
  const filters = { label: [`code-widgets.namespace=${namespace}`] };
  return (await new Docker().listContainers({ all: true, filters })).length;
}

/** Removes the containers of a namespace and returns their number. */
async function removeContainers(namespace: string): Promise<number> {
  const docker = new Docker();
  const filters = { label: [`code-widgets.namespace=${namespace}`] };
  const containers = await docker.listContainers({ all: true, filters });
  await Promise.all(containers.map(({ Id }) => docker.getContainer(Id).remove({ force: true })));
  return containers.length;
}

/** Reserves all ports at once, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createTcpServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  return servers.map((server) => {
    const { port } = server.address() as AddressInfo;
    server.close();
    return port;
  });
}
