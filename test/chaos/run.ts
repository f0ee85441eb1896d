/** Runs one deployment under load and faults, and judges the result. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Instance } from '../../scripts/lib/instance.js';
import { say, seconds } from '../../scripts/lib/report.js';
import { askAgain, follow, POLL_STYLES, type Sighting } from './clients.js';
import { inflict } from './faults.js';
import { startFleet, type Fleet } from './fleet.js';
import type { Machine } from './machine.js';
import { endAndLook } from './outside.js';
import { createRandom } from './random.js';
import type { FaultName, ScheduledFault } from './schedule.js';
import { makeTasks, TASK_SETTINGS } from './tasks.js';
import { judge, type Verdict } from './verdict.js';

const PROGRESS_MS = 15_000;
/** Faults after which the engine itself may leave a half-made or half-removed layer. */
const HARD_ON_ENGINE: readonly FaultName[] = ['engine restart', 'disk of the engine full for 8 s'];
/** Of two workers: four running, and four that are warm or being created. */
const CONTAINERS_AT_A_TIME = 8;
const FOLDERS_OF_CONTAINER = 3;

export interface ChaosOptions {
  readonly name: string;
  readonly tasks: number;
  readonly seed: number;
  readonly clients: number;
  /** No task starts later than this, in ms. */
  readonly atMostMs: number;
  /** How long a client waits for the end of its task. */
  readonly patienceMs: number;
  /** The root folder of the processes' programs. */
  readonly root: string;
  readonly faults: Iterator<ScheduledFault, unknown>;
  readonly settings: Record<string, string>;
  /** Longer than any outage, since the reply queue of a client that cannot poll expires. */
  readonly replyExpiryMs: number;
  /** Time limit for the removal of a dead worker's containers. */
  readonly sweptWithinMs: number;
}

/** A fault as it happened; times are of performance.now(). */
export interface Strike {
  readonly name: FaultName;
  readonly begin: number;
  /** When its cause was removed. */
  readonly end: number;
  readonly hit: string;
}

export interface ChaosResult extends Verdict {
  readonly leaked: string[];
  readonly strikes: readonly Strike[];
  readonly sightings: readonly Sighting[];
}

export async function runChaos(instance: Instance, machine: Machine, options: ChaosOptions): Promise<ChaosResult> {
  const { name, root, settings, replyExpiryMs, sweptWithinMs } = options;
  const env = {
    ...settings,
    ...machine.settings,
    ...TASK_SETTINGS,
    NAMESPACE: name,
    HOST: '127.0.0.1',
    RUNS_PER_MINUTE: '0',
    WAITING_TASKS_OF_CLIENT: '0',
    REPLY_EXPIRY_MS: String(replyExpiryMs),
    SWEEP_INTERVAL_MS: '2000',
    SHUTDOWN_GRACE_MS: '1000',
    CONCURRENCY: '2',
    PREPARED_CONTAINERS: '2',
    PREPARED_WAIT_MS: '20000',
    BUILD_CACHE_FOLDER: join(instance.folder, `${name}-builds`),
  };
  const foldersBefore = machine.engineFolders();
  const fleet = await startFleet({
    instance,
    root,
    env: { widget: env, worker: env },
    logPath: join(instance.folder, `${name}.log`),
  });
  const working = new AbortController();
  const striking = strike(machine, fleet, options.faults, working.signal);
  const begin = performance.now();
  const sightings: Sighting[] = [];
  const telling = setInterval(
    () => say('chaos', `${sightings.length} of ${options.tasks} tasks, ${seconds(performance.now() - begin)}`),
    PROGRESS_MS,
  );
  await load(fleet, machine, options, sightings);
  working.abort();
  const strikes = await striking;
  clearInterval(telling);
  const foldersInterrupted =
    strikes.filter(({ name: fault }) => HARD_ON_ENGINE.includes(fault)).length *
    CONTAINERS_AT_A_TIME *
    FOLDERS_OF_CONTAINER;
  const leaked = await endAndLook(machine, fleet, name, {
    replyExpiryMs,
    sweptWithinMs,
    foldersBefore,
    foldersInterrupted,
  });
  for (const error of fleet.errors.filter((line) => !line.includes('"level"')))
    say('chaos', `no line of a log: ${error}`);
  return { ...judge(sightings), leaked, strikes, sightings };
}

/** Runs all tasks with a fixed number of concurrent clients. */
async function load(
  fleet: Fleet,
  machine: Machine,
  { name, tasks, seed, clients, atMostMs, patienceMs }: ChaosOptions,
  sightings: Sighting[],
): Promise<void> {
  const waiting = makeTasks(tasks, seed);
  const deadline = performance.now() + atMostMs;
  const client = async (number: number) => {
    const pollStyle = POLL_STYLES[number % POLL_STYLES.length] as (typeof POLL_STYLES)[number];
    const random = createRandom(seed + number);
    for (let task = waiting.shift(); task && performance.now() < deadline; task = waiting.shift()) {
      const seen = await follow(fleet.base, task, pollStyle, random, patienceMs);
      sightings.push(seen);
      if (seen.completedAt === undefined) continue;
      await askAgain(fleet.widgets, seen);
      const finals = await machine.finals(name, seen.identifier ?? '');
      if (finals !== undefined && finals !== 1) seen.offences.push(`${finals} final messages`);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
}

async function strike(
  machine: Machine,
  fleet: Fleet,
  faults: Iterator<ScheduledFault, unknown>,
  signal: AbortSignal,
): Promise<Strike[]> {
  const strikes: Strike[] = [];
  for (let next = faults.next(); !next.done; next = faults.next()) {
    await sleep(next.value.afterMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) break;
    const { name } = next.value;
    const begin = performance.now();
    const hit = await inflict(next.value, machine, fleet);
    strikes.push({ name, begin, end: performance.now(), hit });
    say('fault', `${name}: ${hit}, ${seconds(performance.now() - begin)}`);
  }
  return strikes;
}
