import { join } from 'node:path';

import { findBroker, withoutPassword } from './broker.js';
import { build } from './build.js';
import { type Engine, engineNeeds } from './engine.js';
import { ensureImages, imageNeeds, type Images } from './images.js';
import type { Instance } from './instance.js';
import { install, type Need } from './packages.js';
import { checkout } from './paths.js';
import { type OwnBroker, rabbitmqNeed, startRabbitmq } from './rabbitmq.js';
import { say, timed } from './report.js';

/** What the apps, or the tests, need in their environment. */
export type Settings = Readonly<Record<string, string>>;

/** Those that are there once everything is up. */
export interface BroughtUp extends Settings {
  readonly AMQP_URL: string;
  readonly SANDBOX_IMAGE: string;
  readonly RUN_IMAGE: string;
}

export interface Parts {
  readonly settings: BroughtUp;
  /** Where the broker was not there already. */
  readonly ownBroker: OwnBroker | undefined;
}

export interface BringUpOptions {
  /** Namespaces of killed commands, whose containers may still be in the engine. */
  readonly abandoned?: readonly string[];
  /** What has to be installed besides. */
  readonly tools?: readonly Need[];
  /** A broker of the instance's own even where there is one already. */
  readonly newBroker?: boolean;
}

/**
 * Finds or makes everything that the apps stand on: packages, broker, engine, images, the build.
 * What does not need each other happens at once, the slowest first.
 */
export async function bringUp(
  instance: Instance,
  engine: Engine,
  { abandoned = [], tools = [], newBroker = false }: BringUpOptions = {},
): Promise<Parts> {
  const foundBroker = newBroker ? undefined : await findBroker();
  await installMissing(instance, engine, [...tools, ...(foundBroker === undefined ? [rabbitmqNeed] : [])]);
  const [ownBroker, images] = await Promise.all([
    openBroker(instance, foundBroker),
    openEngine(instance, engine, abandoned),
    build(instance),
  ]);
  const settings = {
    AMQP_URL: ownBroker?.url ?? String(foundBroker),
    DOCKER_HOST: engine.host,
    SANDBOX_IMAGE: images.sandbox,
    RUN_IMAGE: images.runner,
    SECCOMP_PROFILE: join(checkout, 'docker', 'sandbox', 'seccomp.json'),
    NAMESPACE: instance.namespace,
  };
  return { settings, ownBroker };
}

/** All at once: one apt-get, or one complete answer to what has to be installed by hand. */
async function installMissing(instance: Instance, engine: Engine, others: readonly Need[]): Promise<void> {
  const needs = [...others];
  if (await engine.answers()) needs.push(...(await imageNeeds(engine.docker)));
  else if (engineNeeds.some((need) => need.isMissing())) needs.push(...engineNeeds, ...(await imageNeeds(undefined)));
  // Else the engine is only stopped: what images it has is known when it answers.
  await install(instance, needs);
}

async function openBroker(instance: Instance, found: string | undefined): Promise<OwnBroker | undefined> {
  if (found === undefined) {
    return timed('broker', () => startRabbitmq(instance), ({ url }) => `RabbitMQ started at ${withoutPassword(url)}`);
  }
  say('broker', `used at ${withoutPassword(found)}`);
  return undefined;
}

async function openEngine(instance: Instance, engine: Engine, abandoned: readonly string[]): Promise<Images> {
  await timed('engine', () => engine.open(instance.signal), (text) => text);
  await Promise.all(abandoned.map((namespace) => engine.removeTraces(namespace)));
  return timed('image', () => ensureImages(instance, engine.docker), ({ sandbox, runner }) => `${sandbox} and ${runner}`);
}
