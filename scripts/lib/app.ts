import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { exitOf, type Instance, type Role } from './instance.js';
import { checkout } from './paths.js';
import { Problem, say } from './report.js';

const READY_MS = 30_000;
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
/** After so long in service, a death counts as the first again. */
const STABLE_MS = 60_000;

export interface AppOptions {
  readonly role: Role;
  /** The name of its folder under apps. */
  readonly app: string;
  /** How it is called in what is said about it. */
  readonly title: string;
  readonly env: NodeJS.ProcessEnv;
  /** Resolves when the process does its work. */
  readonly isReady: (child: ChildProcess, signal: AbortSignal) => Promise<void>;
}

/**
 * What Node starts an app with, as docker/app/Dockerfile has it too. By itself Node lets the objects
 * of a short life, of which a server makes nothing else, fill 48 MiB before it looks at them.
 */
export const appArguments = (app: string, root = checkout): string[] => ['--max-semi-space-size=4', join(root, 'apps', app, 'dist', 'bundle', 'main.js')];

/**
 * Starts one process of an app and keeps it up: once it has been ready, it is started again
 * whenever it dies. One that never gets ready is an error, since trying again would not help.
 */
export async function keepUp(instance: Instance, options: AppOptions): Promise<void> {
  const ended = await startOnce(instance, options);
  void restartForEver(instance, options, ended);
}

/** A process that is ready. The promise of its end is wrapped, or waiting for the one would be for both. */
interface Running {
  readonly end: Promise<number | string>;
}

async function startOnce(instance: Instance, { role, app, title, env, isReady }: AppOptions): Promise<Running> {
  // The channel is how the app notices when this process is killed, and ends as well.
  const child = instance.start(role, process.execPath, appArguments(app), { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const end = exitOf(child);
  const outcome = new AbortController();
  try {
    const late = sleep(READY_MS, `is not ready after ${READY_MS / 1000} s`, { signal: outcome.signal });
    const failure = await Promise.race([
      isReady(child, outcome.signal).then(() => undefined),
      end.then((status) => `ended before it was ready (${status})`),
      late,
    ]);
    if (failure !== undefined) throw new Problem(`The ${title} ${failure}.`);
  } finally {
    outcome.abort();
  }
  return { end };
}

async function restartForEver(instance: Instance, options: AppOptions, first: Running): Promise<void> {
  let delay = FIRST_DELAY_MS;
  let running: Running | undefined = first;
  while (!instance.signal.aborted) {
    const begin = performance.now();
    const status = await running?.end;
    if (instance.signal.aborted) return;
    if (performance.now() - begin > STABLE_MS) delay = FIRST_DELAY_MS;
    if (status !== undefined) say(options.role, `${options.title} has ended (${status}), started again in ${delay / 1000} s`);
    await sleep(delay, undefined, { signal: instance.signal }).catch(() => {});
    delay = Math.min(delay * 2, LONGEST_DELAY_MS);
    running = await startOnce(instance, options).catch((error: unknown) => {
      if (!instance.signal.aborted) say(options.role, String(error));
      return undefined;
    });
  }
}

/** An app's own word, sent over its channel. */
export function saysReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.on('message', (message) => {
      if ((message as { type?: unknown } | null)?.type === 'ready') resolve();
    });
  });
}

/** For a server: it answers 200. */
export function answersAt(url: string) {
  return async (_child: ChildProcess, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const answer = await fetch(url, { signal }).catch(() => undefined);
      await answer?.body?.cancel();
      if (answer?.status === 200) return;
      await sleep(50, undefined, { signal }).catch(() => {});
    }
  };
}
