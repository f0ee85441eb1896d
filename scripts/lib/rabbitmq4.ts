import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { connect } from 'amqplib';

import { ensureBaseImage } from './base-image.js';
import { ensureBrokerImage } from './broker-image.js';
import { brokerAnswers } from './broker.js';
import type { Engine } from './engine.js';
import { type Instance, tail } from './instance.js';
import { Problem, timed } from './report.js';

const CONTROL = '/usr/lib/rabbitmq/bin/rabbitmqctl';
const START_MS = 60_000;

/** RabbitMQ 4 in a container of a run's own. */
export interface Rabbitmq4 {
  readonly url: string;
  /** Writes all that is declared in it, as JSON, into a file. */
  exportDefinitions(path: string): Promise<void>;
  /** Writes the names of deprecated features that are in use, and what the broker has logged of any, into a file. */
  exportDeprecated(path: string): Promise<void>;
  /** Removes the container. */
  remove(): Promise<void>;
}

/** The version of the broker at an address, such as 3.10.8. */
export async function brokerVersion(url: string): Promise<string> {
  const connection = await connect(url);
  const { version } = connection.connection.serverProperties as { version: string };
  await connection.close();
  return version;
}

/**
 * Starts the broker of the compose file, as it is configured there, with one more user, who may do
 * anything in its virtual host: the tests declare queues of namespaces of their own.
 */
export async function startRabbitmq4(instance: Instance, engine: Engine): Promise<Rabbitmq4> {
  return timed('broker', () => start(instance, engine), () => 'RabbitMQ 4 started in a container');
}

async function start(instance: Instance, engine: Engine): Promise<Rabbitmq4> {
  const { docker } = engine;
  const name = `${instance.namespace}-broker-4`;
  await ensureBaseImage(instance, docker);
  const image = await ensureBrokerImage(docker, instance.namespace);
  const passwords = ['WIDGET', 'WORKER'].map((user) => `${user}_BROKER_PASSWORD=${randomBytes(16).toString('hex')}`);
  const container = await docker.createContainer({
    name,
    Image: image,
    Hostname: 'broker',
    Env: passwords,
    HostConfig: { CapDrop: ['ALL'], PortBindings: { '5672/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } },
  });
  await container.start();
  const ports = (await container.inspect()).NetworkSettings.Ports as Record<string, { HostPort: string }[]>;
  const client = (log: string, ...args: string[]) => instance.run(log, 'docker', args, { env: { DOCKER_HOST: engine.host } });
  const control = (log: string, ...args: string[]) => client(log, 'exec', name, CONTROL, '--quiet', ...args);
  const said = (log: string) => readFileSync(join(instance.folder, log), 'utf8');

  const password = randomBytes(16).toString('hex');
  for (const deadline = performance.now() + START_MS; ; await sleep(200, undefined, { signal: instance.signal })) {
    // It takes a user only once it is up.
    const taken = await control('broker-4-user.log', 'add_user', 'tests', password).then(() => true, () => false);
    if (taken) break;
    if (performance.now() > deadline) throw new Problem(`RabbitMQ 4 does not start:\n${tail(join(instance.folder, 'broker-4-user.log'))}`);
  }
  await control('broker-4-rights.log', 'set_permissions', '-p', 'widgets', 'tests', '.*', '.*', '.*');
  const url = `amqp://tests:${password}@127.0.0.1:${ports['5672/tcp']?.[0]?.HostPort}/widgets`;
  while (!(await brokerAnswers(url))) await sleep(200, undefined, { signal: instance.signal });

  return {
    url,
    async exportDefinitions(path) {
      await control('broker-4-export.log', 'export_definitions', '/tmp/definitions.json');
      await client('broker-4-definitions.json', 'exec', name, 'cat', '/tmp/definitions.json');
      copyFileSync(join(instance.folder, 'broker-4-definitions.json'), path);
    },
    async exportDeprecated(path) {
      await control('broker-4-used.log', 'list_deprecated_features', '--used', '--no-table-headers');
      await client('broker-4-server.log', 'logs', name);
      // What is deprecated may be gone by now; the broker has warned of it when it was used.
      const warnings = said('broker-4-server.log').split('\n').filter((line) => /deprecated/i.test(line));
      writeFileSync(path, [...said('broker-4-used.log').trim().split('\n'), ...warnings].filter(Boolean).join('\n'));
    },
    async remove() {
      await container.remove({ force: true, v: true });
    },
  };
}
