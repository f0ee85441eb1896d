import { join } from 'node:path';

import { MAX_CONCURRENCY } from '../apps/worker/src/config.js';
import { answersAt, keepUp, saysReady } from './lib/app.js';
import { bringUp, type Settings } from './lib/bring-up.js';
import { claim } from './lib/claim.js';
import { Engine } from './lib/engine.js';
import { BROKER_STAGES, type Instance, PROGRAM_STAGES, WORKER_GRACE_MS } from './lib/instance.js';
import { checkoutId, stateRoot } from './lib/paths.js';
import { isFree } from './lib/ports.js';
import { Problem, runToExit, say, seconds, surviveLostOutput, timed } from './lib/report.js';
import { untilStopped } from './lib/until-stopped.js';

interface Options {
  readonly host: string;
  readonly port: number;
  readonly workers: number;
  readonly concurrency: number;
}

/** `npm start`: the whole service on this machine, until Ctrl-C. */
async function main(): Promise<number> {
  surviveLostOutput();
  const options = readOptions();
  const engine = new Engine();
  // Of its own in each checkout, so that two of them can share a broker and an engine.
  const { instance, abandoned } = await claim('start', `widget-${checkoutId}`);
  return untilStopped(
    async () => {
      const begin = performance.now();
      await demandPort(options);
      const { settings } = await bringUp(instance, engine, { abandoned });
      await startApps(instance, settings, options);
      sayReady(options, performance.now() - begin);
      return new Promise<never>(() => {}); // Until a signal comes.
    },
    {
      stop: () => timed('stop', () => stop(instance, engine), () => 'everything is stopped'),
      stopAtOnce: () => stopAtOnce(instance, engine),
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
  throw new Problem(`${name}=${text}: a whole number from 1 to ${highest} is needed.`);
}

async function demandPort({ host, port }: Options): Promise<void> {
  if (await isFree(port, host)) return;
  throw new Problem(`Port ${port} is in use: stop what listens there, or choose another, as in: PORT=${port + 1} npm start`);
}

async function startApps(instance: Instance, settings: Settings, options: Options): Promise<void> {
  const { AMQP_URL, NAMESPACE } = settings;
  const widgetEnv = { AMQP_URL, NAMESPACE, HOST: options.host, PORT: String(options.port) };
  const workerEnv = {
    ...settings,
    // Kept from one start to the next.
    BUILD_CACHE_FOLDER: process.env.BUILD_CACHE_FOLDER || join(stateRoot, 'builds'),
    CONCURRENCY: String(options.concurrency),
    SHUTDOWN_GRACE_MS: String(WORKER_GRACE_MS),
  };
  const titles = Array.from({ length: options.workers }, (_, index) => `worker ${index + 1}`);
  const address = addressOf(options);
  await Promise.all([
    timed(
      'widget',
      () => keepUp(instance, { role: 'widget', app: 'widget', title: 'widget', env: widgetEnv, isReady: answersAt(address) }),
      () => `serves ${address}`,
    ),
    timed(
      'worker',
      () =>
        Promise.all(
          titles.map((title) => keepUp(instance, { role: 'worker', app: 'worker', title, env: workerEnv, isReady: saysReady })),
        ),
      () => `${options.workers} at work, with ${options.concurrency} tasks at a time`,
    ),
  ]);
}

function sayReady(options: Options, milliseconds: number): void {
  const address = addressOf(options);
  say('ready', `${address}, ${seconds(milliseconds)}; Ctrl-C stops everything. To try it:`);
  say('', `curl ${address}/`);
  say('', `node scripts/try.mjs ${address}`);
}

function addressOf({ host, port }: Options): string {
  return `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}`;
}

async function stop(instance: Instance, engine: Engine): Promise<void> {
  instance.refuse();
  await instance.end(PROGRAM_STAGES);
  await Promise.all([instance.end(BROKER_STAGES), leaveEngine(instance, engine)]);
  instance.close('keep folder');
}

async function stopAtOnce(instance: Instance, engine: Engine): Promise<void> {
  await instance.kill();
  await leaveEngine(instance, engine);
  instance.close('keep folder');
}

/** Workers remove their containers; those of one that had to be killed are still there. */
async function leaveEngine(instance: Instance, engine: Engine): Promise<void> {
  await engine.removeTraces(instance.namespace);
  if ((await engine.close()) === 'stopped') say('engine', 'dockerd stopped');
}

runToExit(main);
