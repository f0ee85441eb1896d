/** A private broker and engine, each behind a proxy that can fail, and checks for what is left in them. */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type Docker from 'dockerode';
import { connectBroker, createReplyReader, ReplyQueueGone, type Broker } from '@code-widgets/broker';

import type { Instance } from '../../scripts/lib/instance.js';
import { OwnEngine } from '../lib/own-engine.js';
import type { OwnBroker } from '../../scripts/lib/broker.js';
import { tcpProxy, type TcpProxy } from '../helpers/tcp-proxy.js';

const run = promisify(execFile);
/** Disk space for containers, in addition to the images. */
const DISK_SPARE_MIB = 200;
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

export interface Machine {
  readonly broker: OwnBroker;
  readonly engine: OwnEngine;
  readonly toBroker: TcpProxy;
  readonly toEngine: TcpProxy;
  /** The engine's data folder, on a small file system. */
  readonly dataFolder: string;
  /** Settings for the apps. */
  readonly settings: { AMQP_URL: string; DOCKER_HOST: string };
  containers(): Promise<Docker.ContainerInfo[]>;
  /** The number of folders that the engine uses for containers and layers. */
  engineFolders(): number;
  /** Queues, exchanges and connections other than the shared and built-in ones, one per line. */
  leftInBroker(namespace: string): Promise<string[]>;
  /** The number of final messages in a task's reply queue. */
  finals(namespace: string, identifier: string): Promise<number | undefined>;
  /** Removes all containers. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export async function openMachine(
  instance: Instance,
  broker: OwnBroker,
  docker: Docker,
  images: readonly string[],
): Promise<Machine> {
  const dataFolder = join(instance.folder, 'engine');
  const sizes = await Promise.all(images.map(async (name) => (await docker.getImage(name).inspect()).Size));
  // The images share most layers. Each layer is also written once more while it is unpacked.
  const megabytes = Math.ceil((2 * Math.max(...sizes)) / 2 ** 20) + DISK_SPARE_MIB;
  mkdirSync(dataFolder, { recursive: true });
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'code-widgets-chaos', dataFolder]);
  const engine = new OwnEngine(instance, { name: 'engine', dataFolder });
  await engine.start();
  await engine.load(docker, images);
  const address = new URL(broker.urls.operator);
  const toBroker = await tcpProxy({ host: address.hostname, port: Number(address.port) });
  const toEngine = await tcpProxy({ path: engine.socket });
  const folders = (name: string) => readdirSync(join(dataFolder, name)).length;
  const listed = async (what: string, ...columns: string[]) => {
    const vhost = what === 'connections' ? [] : ['--vhost', 'widgets'];
    return (await broker.control('--no-table-headers', ...vhost, `list_${what}`, ...columns))
      .trim()
      .split('\n')
      .filter(Boolean);
  };
  let looking: Promise<Broker> | undefined;

  return {
    broker,
    engine,
    toBroker,
    toEngine,
    dataFolder,
    settings: {
      AMQP_URL: broker.urls.operator.replace(address.host, `127.0.0.1:${toBroker.port}`),
      DOCKER_HOST: `tcp://127.0.0.1:${toEngine.port}`,
    },
    containers: () => engine.docker.listContainers({ all: true }),
    engineFolders: () => folders('containers') + folders('overlay2'),
    async leftInBroker(namespace) {
      await (await looking)?.close();
      looking = undefined;
      const queues = await listed('queues', 'name', 'messages');
      const shared = [`${namespace}.tasks\t0`, `${namespace}.dead\t0`];
      const exchanges = (await listed('exchanges', 'name')).filter((line) => line.startsWith(`${namespace}.`));
      const sharedExchanges = ['submit', 'dead', 'replies', 'attempts'].map((name) => `${namespace}.${name}`);
      return [
        ...queues
          .filter((line) => line.startsWith(`${namespace}.`) && !shared.includes(line))
          .map((line) => `queue ${line}`),
        ...exchanges.filter((name) => !sharedExchanges.includes(name)).map((name) => `exchange ${name}`),
        ...(await listed('connections', 'pid')).map((line) => `connection ${line}`),
      ];
    },
    async finals(namespace, identifier) {
      looking ??= connectBroker(
        { AMQP_URL: broker.urls.operator, NAMESPACE: namespace, WAITING_TASKS: 200, REPLY_EXPIRY_MS: 60_000 },
        quiet,
      );
      const reader = createReplyReader(await looking);
      return reader
        .poll(identifier, (messages) => ({
          remove: [],
          result: messages.filter((message) => message?.kind === 'final').length,
        }))
        .catch((error: unknown) => (error instanceof ReplyQueueGone ? 0 : undefined));
    },
    async clear() {
      const containers = await engine.docker.listContainers({ all: true });
      await Promise.all(containers.map(({ Id }) => engine.docker.getContainer(Id).remove({ force: true })));
    },
    async close() {
      await (await looking)?.close();
      toBroker.close();
      toEngine.close();
      await engine.stop('SIGTERM');
      await broker.remove();
      await run('umount', [dataFolder]);
      rmSync(dataFolder, { recursive: true });
    },
  };
}
