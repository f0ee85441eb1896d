import { join } from 'node:path';

import { MAX_CONCURRENCY } from '../apps/worker/src/config.js';
import { answersAt, keepUp, saysReady } from './lib/app.js';
import type { OwnBroker } from './lib/broker.js';
import { bringUp, type Parts, type Settings } from './lib/bring-up.js';
import { Engine } from './lib/engine.js';
import { Instance, WORKER_GRACE_MS } from './lib/instance.js';
import { checkoutId, stateRoot } from './lib/paths.js';
import { isFree } from './lib/ports.js';
import { Problem, runToExit, say, seconds, timed } from './lib/report.js';
import { untilStopped } from './lib/until-stopped.js';

interface Options {
  readonly host: string;
  readonly port: number;
  readonly workers: number;
  readonly concurrency: number;
}

/** `npm start`: the whole service on this machine, until Ctrl-C. */
async function main(): Promise<number> {
  const options = readOptions();
  const engine = new Engine();
  // Each checkout has a namespace, so two checkouts can share a broker and an engine.
  const instance = await Instance.open('start', `widget-${checkoutId}`);
  let broker: OwnBroker | undefined;
  return untilStopped(
    async () => {
      const begin = performance.now();
      await demandPort(options);
      const parts = await bringUp(instance, engine, {
        volume: `${instance.namespace}-broker`,
        brokerEnv: brokerSettings(),
      });
      broker = parts.ownBroker;
      await startApps(instance, parts, options);
      sayReady(options, performance.now() - begin);
      return new Promise<never>(() => {}); // Until a signal comes.
    },
    {
      stop: () =>
        timed(
          'stop',
          () => stop(instance, engine, broker),
          () => 'everything is stopped',
        ),
      stopAtOnce: () => (instance.kill(), stop(instance, engine, broker)),
    },
    0,
  );
}

function readOptions(): Options {
  return {
    host: process.env.HOST || '127.0.0.1',
    port: wholeNumber('PORT', 8000, 65_535),
    workers: wholeNumber('WORKERS', 1, 64),
    concurrency: wholeNumber('CONCURRENCY', 2, MAX_CONCURRENCY),
  };
}

function wholeNumber(name: string, standard: number, highest: number): number {
  const text = process.env[name];
  if (!text) return standard;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= highest) return value;
  throw new Problem(`${name}=${text} is not valid: use a whole number from 1 to ${highest}.`);
}

/** Settings that the broker's policies also use. */
function brokerSettings(): Settings {
  const { WAITING_TASKS, REPLY_EXPIRY_MS } = process.env;
  return { ...(WAITING_TASKS && { WAITING_TASKS }), ...(REPLY_EXPIRY_MS && { REPLY_EXPIRY_MS }) };
}

async function demandPort({ host, port }: Options): Promise<void> {
  if (await isFree(port, host)) return;
  throw new Problem(
    `Port ${port} is in use: stop what listens there, or choose another, as in: PORT=${port + 1} npm start`,
  );
}

async function startApps(instance: Instance, { settings, amqpUrls }: Parts, options: Options): Promise<void> {
  const widgetEnv = {
    AMQP_URL: amqpUrls.widget,
    NAMESPACE: settings.NAMESPACE,
    HOST: options.host,
    PORT: String(options.port),
  };
  const workerEnv = {
    ...settings,
    AMQP_URL: amqpUrls.worker,
    // Kept between starts.
    BUILD_CACHE_FOLDER: process.env.BUILD_CACHE_FOLDER || join(stateRoot, 'builds'),
    CONCURRENCY: String(options.concurrency),
    SHUTDOWN_GRACE_MS: String(WORKER_GRACE_MS),
  };
  const address = addressOf(options);
  const startWidget = () =>
    keepUp(instance, { role: 'widget', app: 'widget', title: 'widget', env: widgetEnv, isReady: answersAt(address) });
  const startWorker = (_: unknown, index: number) =>
    keepUp(instance, {
      role: 'worker',
      app: 'worker',
      title: `worker ${index + 1}`,
      env: workerEnv,
      isReady: saysReady,
    });
  const startWorkers = () => Promise.all(Array.from({ length: options.workers }, startWorker));
  await Promise.all([
    timed('widget', startWidget, () => `serves ${address}`),
    timed('worker', startWorkers, () => `${options.workers} at work, with ${options.concurrency} tasks at a time`),
  ]);
}

function sayReady(options: Options, milliseconds: number): void {
  const address = addressOf(options);
  say('ready', `${address}, ${seconds(milliseconds)}; Ctrl-C stops everything. To try it:`);
  say('', `curl ${address}/`);
  say('', `node tools/try.mjs ${address}`);
}

function addressOf({ host, port }: Options): string {
  return `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`;
}

async function stop(instance: Instance, engine: Engine, broker: OwnBroker | undefined): Promise<void> {
  instance.refuse();
  await instance.end();
  await broker?.stop('SIGTERM').catch(() => undefined); // It may have ended by itself.
  // The broker's container, and those of a killed worker.
  await engine.removeTraces(instance.namespace, ['container']);
  instance.close(true);
  if ((await engine.close()) === 'stopped') say('engine', 'dockerd stopped');
}

runToExit(main);
