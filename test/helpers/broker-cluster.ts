/** A cluster of three compose file brokers behind a balancer, as in docs/deployment.md. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { environment } from './environment.js';
import { eventually } from './eventually.js';
import { dockerCommand } from './images-engine.js';
import { tcpProxy } from './tcp-proxy.js';

const NODES = ['broker-1', 'broker-2', 'broker-3'];
const CONTROL = '/usr/lib/rabbitmq/bin/rabbitmqctl';
const START = { limitMs: 120_000, everyMs: 500 };
const ROOT = join(import.meta.dirname, '..', '..');

export interface BrokerCluster {
  readonly namespace: string;
  /** The settings with which each app reaches it through the balancer. */
  readonly settings: Record<'widget' | 'worker', Record<string, string>>;
  /** The node of each classic queue. */
  homes(): Promise<Map<string, string>>;
  /** The number of nodes with a member of a quorum queue. */
  membersOf(queue: string): Promise<number>;
  kill(node: string): Promise<void>;
  /** Restarts a killed node with its data; resolves when it has joined the cluster. */
  start(node: string): Promise<void>;
  end(): Promise<void>;
}

export async function startBrokerCluster(): Promise<BrokerCluster> {
  const image = environment('BROKER_IMAGE');
  const namespace = `${environment('NAMESPACE')}-cluster`;
  const folder = mkdtempSync(join(tmpdir(), `code-widgets-${process.env.RUN_ID ?? 'cluster'}-`));
  writeFileSync(join(folder, 'cookie'), 'cookieofatest');
  const containerOf = (node: string) => `${namespace}-${node}`;
  const exec = async (node: string, ...command: string[]) =>
    (await dockerCommand(['exec', containerOf(node), ...command])).stdout;
  const options = [
    ...[
      '--env',
      `NAMESPACE=${namespace}`,
      '--env',
      'WIDGET_BROKER_PASSWORD=widget',
      '--env',
      'WORKER_BROKER_PASSWORD=worker',
    ],
    ...[
      '--env',
      'ERLANG_COOKIE_FILE=/run/secrets/cookie',
      '--volume',
      `${join(folder, 'cookie')}:/run/secrets/cookie:ro`,
    ],
    ...['--volume', `${join(ROOT, 'rabbitmq', 'cluster.conf')}:/etc/rabbitmq/conf.d/cluster.conf:ro`],
    ...['--network', namespace, '--publish', '127.0.0.1::5672', '--cap-drop', 'ALL'],
  ];
  const ports = new Map<string, number>();
  const findPort = async (node: string) => {
    const { stdout } = await dockerCommand(['port', containerOf(node), '5672/tcp']);
    ports.set(node, Number(/:(\d+)$/m.exec(stdout)?.[1]));
  };
  const running = async (node: string) => {
    const status = await exec(node, CONTROL, '--quiet', '--formatter', 'json', 'cluster_status').catch(() => '{}');
    return (JSON.parse(status) as { running_nodes?: string[] }).running_nodes?.length ?? 0;
  };
  const untilJoined = async (node: string) => {
    await eventually(`${node} is in the cluster`, async () => (await running(node)) >= NODES.length, START).catch(
      async (cause: unknown) => {
        const { stdout } = await dockerCommand(['logs', '--tail', '20', containerOf(node)]);
        throw new Error(`${node} has not joined the cluster. Its log says why:\n${stdout}`, { cause });
      },
    );
  };
  const balancer = await tcpProxy(() => [...ports.values()].map((port) => ({ host: '127.0.0.1', port })));
  const at = `127.0.0.1:${balancer.port}/widgets`;
  const live = () => NODES.find((node) => ports.has(node)) as string;
  /** Lists a column of all queues. */
  const tell = async (column: string) => {
    const words = ['--quiet', '--no-table-headers', '-p', 'widgets', 'list_queues', 'name', column];
    const lines = (await exec(live(), CONTROL, ...words))
      .trim()
      .split('\n')
      .map((line) => line.split('\t'));
    return new Map(lines.map(([name = '', value = '']) => [name, value]));
  };
  const cluster: BrokerCluster = {
    namespace,
    settings: {
      widget: { AMQP_URL: `amqp://widget:widget@${at}` },
      worker: { AMQP_URL: `amqp://worker:worker@${at}` },
    },
    async homes() {
      const pids = [...(await tell('pid'))].map(
        ([queue, pid]) => [queue, /rabbit@(broker-\d)/.exec(pid)?.[1]] as const,
      );
      return new Map(pids.flatMap(([queue, home]) => (home === undefined ? [] : [[queue, home]])));
    },
    async membersOf(queue) {
      return (await tell('members')).get(queue)?.match(/rabbit@broker-\d/g)?.length ?? 0;
    },
    async kill(node) {
      ports.delete(node);
      await dockerCommand(['kill', containerOf(node)]);
    },
    async start(node) {
      await dockerCommand(['start', containerOf(node)]);
      await untilJoined(node);
      await findPort(node); // The port may have changed.
    },
    async end() {
      balancer.close();
      await dockerCommand(['rm', '--force', '--volumes', ...NODES.map(containerOf)]);
      await dockerCommand(['network', 'rm', namespace]);
      rmSync(folder, { recursive: true });
    },
  };
  await dockerCommand(['network', 'create', namespace]);
  try {
    for (const node of NODES) {
      await dockerCommand([
        'run',
        '--detach',
        '--name',
        containerOf(node),
        '--hostname',
        node,
        '--network-alias',
        node,
        ...options,
        image,
      ]);
    }
    await Promise.all(NODES.map((node) => untilJoined(node).then(() => findPort(node))));
    const isOnAll = async () => (await cluster.membersOf(`${namespace}.tasks`)) >= NODES.length;
    await eventually('the task queue has a member on each node (see rabbitmq/cluster.conf)', isOnAll, START);
  } catch (error) {
    await cluster.end();
    throw error;
  }
  return cluster;
}
