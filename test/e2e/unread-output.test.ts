/** Output that nobody reads: what it costs the broker, and that it is there for who comes late. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { collect, submit, text } from '../helpers/client.js';
import { startComposeBroker } from '../helpers/compose-broker.js';
import { deploy, type Deployment, type DeploymentOptions } from '../helpers/deployment.js';
import { environment } from '../helpers/environment.js';
import { listenerOn } from '../helpers/listener.js';
import { c } from '../helpers/programs.js';

const MIB = 1024 * 1024;
/** Of 1 MiB each, which is six in a message: a NUL is six characters there. */
const FLOODS = 24;
/** Less than half of what lies in the queues then; the run's broker has other tests' messages as well. */
const MOST_GROWTH_MIB = 64;
const BUILT = 'Build completed successfully.';
const WAIT_MS = 120_000;

/** Ended at its limit, after a sixteenth of what it would write. */
const flood = (n: number) => ({
  ...{ mode: 'run', name: 'Demo', switches: {}, lab: false },
  files: [c(`  static char block[65536];\n  for (long i = 0; i < ${1000 + n}; i++) write(1, block, sizeof block);\n  return 0;`)],
});

interface TestedBroker {
  readonly options: DeploymentOptions;
  memoryMib(): number | Promise<number>;
  end(): void | Promise<void>;
}

async function openComposeBroker(): Promise<TestedBroker> {
  const broker = await startComposeBroker('unread');
  const control = ['/usr/lib/rabbitmq/bin/rabbitmqctl', '--quiet', 'eval', 'erlang:memory(total).'];
  return {
    options: { namespace: broker.namespace, envOf: broker.settings },
    memoryMib: async () => Number(await broker.exec(...control)) / MIB,
    end: () => broker.end(),
  };
}

const { hostname, port } = new URL(environment('AMQP_URL'));
const ofThisRun = ['127.0.0.1', 'localhost'].includes(hostname) ? listenerOn(Number(port || 5672)) : undefined;
const openBrokerOfThisRun = (): TestedBroker => ({
  options: {},
  memoryMib: () => Number(/^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${ofThisRun?.pid}/status`, 'utf8'))?.[1]) / 1024,
  end: () => undefined,
});

const brokers: [name: string, open: () => TestedBroker | Promise<TestedBroker>][] = [['the compose file\'s broker', openComposeBroker]];
if (ofThisRun?.name === 'beam.smp') brokers.push(['the broker of this run', openBrokerOfThisRun]);
else it.skip('output that nobody reads, in the broker of this run', () => undefined); // It is elsewhere, or in a container, and its memory cannot be seen.

describe.each(brokers)('output that nobody reads, in %s', (_, open) => {
  let broker: TestedBroker;
  let service: Deployment;
  /** The task that was accepted last. */
  let last: string;

  beforeAll(async () => {
    broker = await open();
    service = await deploy({ ...broker.options, widgets: 1, workers: 1, env: { CONCURRENCY: '4' } });
  }, 120_000);
  afterAll(async () => {
    await service.end();
    await broker.end();
  }, 60_000);

  const ended = () => service.log().filter(({ outcome }) => outcome === 'success').length;

  /** What the broker holds at most until so many tasks have ended in all. */
  async function mostMemoryUntil(count: number): Promise<number> {
    let most = 0;
    for (const deadline = Date.now() + WAIT_MS; ended() < count; await sleep(300)) {
      if (Date.now() > deadline) throw new Error(`${ended()} of ${count} have ended`);
      most = Math.max(most, await broker.memoryMib());
    }
    return Math.max(most, await broker.memoryMib());
  }

  it('costs no memory there, however much of it there is', async () => {
    const first = 4;
    for (let n = 0; n < first; n++) await submit(service.base, flood(n));
    await mostMemoryUntil(first);
    const before = await broker.memoryMib();
    for (let n = first; n < first + FLOODS; n++) last = await submit(service.base, flood(n));
    expect((await mostMemoryUntil(first + FLOODS)) - before).toBeLessThan(MOST_GROWTH_MIB);
  }, WAIT_MS + 60_000);

  it('is there, whole, for a page that comes late', async () => {
    const result = await collect(service.base, last);
    expect(result).toMatchObject({ status: 153, message: 'SUCCESS' });
    expect(text(result, 'stdout')).toBe(BUILT + '\0'.repeat(MIB));
  }, 60_000);
});
