import { join } from 'node:path';

import type { Parts, Settings } from './bring-up.js';
import type { Engine } from './engine.js';
import { openGvisor } from './gvisor.js';
import type { Instance } from './instance.js';
import { type Counts, runJestTwice } from './jest.js';
import { brokerVersion, startRabbitmq4 } from './rabbitmq4.js';
import { say } from './report.js';
import { FEWER_AT_A_TIME, GVISOR } from './test-options.js';

const NONE: Counts = { passed: 0, failed: 0 };

/** The settings of every deployment under another runtime than the engine's own choice. */
export async function runtimeSettings(instance: Instance, engine: Engine, { settings }: Parts, runtime: string | undefined): Promise<Settings> {
  if (runtime === undefined) return {};
  if (runtime !== GVISOR) return { SANDBOX_RUNTIME: runtime };
  const gvisor = await openGvisor(instance, engine.docker, [settings.SANDBOX_IMAGE, settings.RUN_IMAGE]);
  return { ...gvisor, IMAGES_DOCKER_HOST: engine.host };
}

/** Whatever a runtime has to keep in, and of all that is alike a third: it takes three to four times as long there. */
export async function runPartUnderGvisor(instance: Instance, engine: Engine, parts: Parts, results: string): Promise<Counts> {
  const gvisor = await runtimeSettings(instance, engine, parts, GVISOR);
  // What fills its memory takes longer than the usual 10 s there on a slow machine.
  const slowly = { RUN_LIMIT_MS: '20000' };
  const settings = { ...parts.settings, ...gvisor, ...slowly, ATTACKS_FOLDER: attacksFolder(results, GVISOR), TEST_EVERY: '3' };
  const files = ['test/e2e/(golden|reports)', 'test/attacks', 'test/integration/sandbox-(inspection|escapes|files)', 'test/integration/socket-proxy'];
  const args = [...files, ...FEWER_AT_A_TIME, '--selectProjects', 'integration', 'e2e', 'attacks'];
  return runJestTwice(instance, args, settings, join(results, 'gvisor.json'));
}

/** What depends on the broker's version: how it counts, hands out, gives back and refuses. */
export async function runPartOnRabbitmq4(instance: Instance, engine: Engine, { settings }: Parts, results: string): Promise<Counts> {
  const version = await brokerVersion(settings.AMQP_URL);
  if (!version.startsWith('3.')) {
    say('broker', `the tests ran on RabbitMQ ${version} already, and run on it once`);
    return NONE;
  }
  const files = ['test/integration/(task-queue|reply-queue)', 'test/e2e/faults'];
  const args = [...files, '--selectProjects', 'integration', 'e2e'];
  return onRabbitmq4(instance, engine, results, (broker) => runJestTwice(instance, args, { ...settings, ...broker }, join(results, 'rabbitmq4.json')));
}

/** Runs tests on RabbitMQ 4; what they leave in it, and what they used that is deprecated, is for the last tests to read. */
export async function onRabbitmq4<T>(instance: Instance, engine: Engine, results: string, work: (settings: Settings) => Promise<T>): Promise<T> {
  const broker = await startRabbitmq4(instance, engine);
  try {
    const result = await work({ AMQP_URL: broker.url });
    await broker.exportDefinitions(rabbitmq4Paths(results).definitions);
    await broker.exportDeprecated(rabbitmq4Paths(results).deprecated);
    return result;
  } finally {
    await broker.remove();
  }
}

/** There once tests have run on RabbitMQ 4. */
export function rabbitmq4Paths(results: string): { definitions: string; deprecated: string } {
  return { definitions: join(results, 'definitions-4.json'), deprecated: join(results, 'deprecated') };
}

/** @param runtime the name under which the attacks are told of */
export function attacksFolder(results: string, runtime: string): string {
  return join(results, `attacks-${runtime}`);
}
