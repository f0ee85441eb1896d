import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { exitOf, type Instance, type Role } from './instance.js';
import { checkout } from './paths.js';
import { Problem, say } from './report.js';

const READY_MS = 30_000;
const RESTART_DELAY_MS = 2_000;

export interface AppOptions {
  readonly role: Role;
  /** The name of its folder under apps. */
  readonly app: string;
  /** Its name in messages. */
  readonly title: string;
  readonly env: NodeJS.ProcessEnv;
  /** Resolves when the process is ready. */
  readonly isReady: (child: ChildProcess, signal: AbortSignal) => Promise<void>;
}

/**
 * Arguments of node for an app, as in docker/app/Dockerfile. Node's default young generation grows to
 * 48 MiB. A server's objects are short-lived, so smaller semi-spaces save memory.
 */
export const appArguments = (app: string, root = checkout): string[] => [
  '--max-semi-space-size=4',
  join(root, 'apps', app, 'dist', 'bundle', 'main.js'),
];

/**
 * Starts an app's process and restarts it whenever it ends. Rejects if the first start fails, since a second
 * try would not help.
 */
export async function keepUp(instance: Instance, options: AppOptions): Promise<void> {
  let child = await start(instance, options);
  const keep = async () => {
    for (;;) {
      const status = await exitOf(child);
      if (instance.signal.aborted) return;
      say(options.role, `${options.title} has ended (${status}), started again in ${RESTART_DELAY_MS / 1000} s`);
      await sleep(RESTART_DELAY_MS, undefined, { signal: instance.signal });
      // A restart that fails is tried again.
      child = await start(instance, options).catch((error: unknown) => (say(options.role, String(error)), child));
    }
  };
  keep().catch(() => {}); // The instance is being stopped.
}

async function start(instance: Instance, { role, app, title, env, isReady }: AppOptions): Promise<ChildProcess> {
  // The app notices by this channel when this process is killed, and ends as well.
  const child = instance.start(role, process.execPath, appArguments(app), {
    env,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const outcome = new AbortController();
  try {
    const failure = await Promise.race([
      isReady(child, outcome.signal).then(() => undefined),
      exitOf(child).then((status) => `ended before it was ready (${status})`),
      sleep(READY_MS, `is not ready after ${READY_MS / 1000} s`, { signal: outcome.signal }),
    ]);
    if (failure === undefined) return child;
    child.kill('SIGKILL');
    throw new Problem(`The ${title} ${failure}.`);
  } finally {
    outcome.abort();
  }
}

/** Resolves when the app sends `ready` over its IPC channel. */
export function saysReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.on('message', (message) => {
      if ((message as { type?: unknown } | null)?.type === 'ready') resolve();
    });
  });
}

/** Resolves when the URL answers 200. */
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
