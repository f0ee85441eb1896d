/** Processes that hang but look alive: each must notice and end itself. */
import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { expect, it } from '@jest/globals';

import { brokerProxy } from '../helpers/broker-proxy.js';
import { collect, submit } from '../helpers/client.js';
import { deploy, type Deployment, type DeploymentOptions } from '../helpers/deployment.js';

/** The documented limit is 30 s; the rest is for a busy machine. */
const NOTICED_MS = 40_000;
const NODE_OPTIONS = `--import ${fileURLToPath(new URL('../helpers/block-loop.mjs', import.meta.url))}`;

const hello = {
  mode: 'compile',
  files: [{ basename: 'p.adb', contents: 'procedure P is\nbegin\n   null;\nend P;\n' }],
};
const lastWords = (service: Deployment, app: string) =>
  service.log().filter(({ level, name, msg }) => level === 60 && name === app && /no sign of life/.test(String(msg)));

/** Resolves with the signal that ended the process, or undefined if it has not ended in time. */
async function endOf(child: ChildProcess): Promise<NodeJS.Signals | null | undefined> {
  if (child.exitCode !== null || child.signalCode !== null) return child.signalCode;
  const late = new Promise<[]>((resolve) => setTimeout(() => resolve([]), NOTICED_MS).unref());
  await Promise.race([once(child, 'exit'), late]);
  return child.exitCode === null && child.signalCode === null ? undefined : child.signalCode;
}

/** Runs a test with its own service. The tests mostly wait, so they run in parallel. */
async function withService(options: DeploymentOptions, test: (service: Deployment) => Promise<void>): Promise<void> {
  const service = await deploy({ widgets: 1, workers: 1, ...options });
  try {
    await test(service);
  } finally {
    await service.end();
  }
}

it.concurrent(
  'a worker and a widget with a blocked event loop end themselves',
  () =>
    withService({ env: { NODE_OPTIONS } }, async (service) => {
      const processes = [service.workers[0] as ChildProcess, service.widgets[0]?.process as ChildProcess];
      for (const child of processes) child.kill('SIGUSR2');
      expect(await Promise.all(processes.map(endOf))).toEqual(['SIGKILL', 'SIGKILL']);
      expect([lastWords(service, 'worker').length, lastWords(service, 'widget').length]).toEqual([1, 1]);
    }),
  120_000,
);

it.concurrent(
  'a worker whose broker sends only heartbeats ends itself, and its task moves to another worker',
  async () => {
    const { proxy, hush, AMQP_URL } = await brokerProxy();
    await withService({ envOf: { worker: { AMQP_URL } } }, async (service) => {
      hush();
      const identifier = await submit(service.base, hello);
      expect(await endOf(service.workers[0] as ChildProcess)).toBe('SIGKILL');
      expect(lastWords(service, 'worker')).toHaveLength(1);
      await service.addWorker();
      expect((await collect(service.base, identifier)).status).toBe(0);
    });
    proxy.close();
  },
  120_000,
);

it.concurrent(
  'a worker without a broker keeps running for a while',
  async () => {
    const { proxy, AMQP_URL } = await brokerProxy();
    await withService({ envOf: { worker: { AMQP_URL } } }, async (service) => {
      proxy.open = false;
      proxy.cut();
      expect(await endOf(service.workers[0] as ChildProcess)).toBeUndefined();
      proxy.open = true;
      expect((await collect(service.base, await submit(service.base, hello))).status).toBe(0);
    });
    proxy.close();
  },
  120_000,
);
