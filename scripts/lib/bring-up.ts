import { join } from 'node:path';

import { findBroker, type OwnBroker, startBroker, withoutPassword } from './broker.js';
import type { Engine } from './engine.js';
import { ensureImages } from './images.js';
import { forgetKilled, type Instance } from './instance.js';
import { checkout } from './paths.js';
import { say, timed } from './report.js';

/** Settings of the apps, or of the tests. */
export type Settings = Readonly<Record<string, string>>;

export interface Parts {
  readonly settings: Settings & Readonly<Record<'NAMESPACE' | 'SANDBOX_IMAGE' | 'RUN_IMAGE', string>>;
  /** The broker's address for each user; all the same if AMQP_URL names a broker. */
  readonly amqpUrls: OwnBroker['urls'];
  /** Undefined if AMQP_URL names a broker. */
  readonly ownBroker: OwnBroker | undefined;
}

export interface BringUpOptions {
  /** Volume for the data of a broker that is started here. */
  readonly volume?: string;
  /** Settings of a broker that is started here. */
  readonly brokerEnv?: Settings;
  /** Start a broker even if AMQP_URL names one. */
  readonly newBroker?: boolean;
}

/** Finds or starts what the apps need: engine, images, broker, and the apps' bundles. */
export function bringUp(instance: Instance, engine: Engine, options: BringUpOptions = {}): Promise<Parts> {
  return instance.track(start(instance, engine, options));
}

async function start(instance: Instance, engine: Engine, options: BringUpOptions): Promise<Parts> {
  const killed = await forgetKilled();
  const bundled = timed(
    'build',
    () => bundle(instance),
    () => 'each app is one file',
  );
  bundled.catch(() => {}); // Handled by Promise.all below.
  const given = options.newBroker ? undefined : process.env.AMQP_URL || undefined;
  const [, { images, ownBroker }] = await Promise.all([bundled, onEngine(instance, engine, killed, given, options)]);
  const amqpUrls = ownBroker?.urls ?? { widget: String(given), worker: String(given), operator: String(given) };
  instance.record({ amqpUrl: amqpUrls.operator });
  return {
    settings: {
      NAMESPACE: instance.namespace,
      SANDBOX_IMAGE: images.sandbox,
      RUN_IMAGE: images.runner,
      SECCOMP_PROFILE: join(checkout, 'docker', 'sandbox', 'seccomp.json'),
    },
    amqpUrls,
    ownBroker,
  };
}

/** esbuild takes half a second; types are checked by `npm run types`. */
function bundle(instance: Instance): Promise<void> {
  return instance.run('bundle.log', process.execPath, [join(checkout, 'build', 'bundle.mjs')]);
}

async function onEngine(
  instance: Instance,
  engine: Engine,
  killed: readonly string[],
  given: string | undefined,
  { volume, brokerEnv }: BringUpOptions,
) {
  await timed(
    'engine',
    () => engine.open(instance),
    (text) => text,
  );
  await Promise.all(killed.map((namespace) => engine.removeTraces(namespace)));
  // Remains of an instance that was killed under this name. Only containers: the broker's volume contains accepted
  // tasks.
  await engine.removeTraces(instance.namespace, ['container']);
  if (given !== undefined) {
    const [images] = await Promise.all([
      ensureImages(instance, engine.docker, ['sandbox', 'runner']),
      findBroker(given),
    ]);
    say('broker', `used at ${withoutPassword(given)}`);
    return { images, ownBroker: undefined };
  }
  const images = await ensureImages(instance, engine.docker, ['broker', 'sandbox', 'runner']);
  const options = {
    image: images.broker,
    namespace: instance.namespace,
    ...(volume !== undefined && { volume }),
    ...(brokerEnv && { env: brokerEnv }),
  };
  const ownBroker = await timed(
    'broker',
    () => startBroker(engine.docker, options, instance.signal),
    ({ urls }) => `RabbitMQ started at ${withoutPassword(urls.operator)}`,
  );
  return { images, ownBroker };
}
