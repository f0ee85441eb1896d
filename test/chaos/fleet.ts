/**
 * The deployment under test: 2 widgets behind a round robin and 2 workers. As in compose, a process that dies
 * is started again.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import { appArguments } from '../../scripts/lib/app.js';
import type { Instance } from '../../scripts/lib/instance.js';
import { freePort } from '../../scripts/lib/ports.js';
import { httpProxy } from '../helpers/http-proxy.js';

const WIDGETS = 2;
const WORKERS = 2;
const RESTART_DELAY_MS = 500;
const READY_MS = 60_000;
const END_MS = 15_000;

export type App = 'widget' | 'worker';

export interface Member {
  readonly app: App;
  /** The current process. */
  readonly child: ChildProcess;
}

export interface FleetOptions {
  instance: Instance;
  /** Contains apps/<app>/dist: the checkout or a sabotaged copy. */
  root: string;
  env: Record<App, Record<string, string>>;
  /** The log file of all processes. */
  logPath: string;
}

export interface Fleet {
  /** Address of the round robin. */
  readonly base: string;
  /** Address of each widget. */
  readonly widgets: readonly string[];
  readonly members: readonly Member[];
  /** Log lines of level error and above. */
  readonly errors: readonly string[];
  /**
   * Ends all processes, then calls `look` during the run of a new worker. That worker has no warm containers
   * and removes those of dead workers.
   */
  end<T>(look: () => Promise<T>): Promise<T>;
}

export async function startFleet({ instance, root, env, logPath }: FleetOptions): Promise<Fleet> {
  const log = createWriteStream(logPath, { flags: 'a' });
  const errors: string[] = [];
  let ending = false;
  const keeping: Promise<void>[] = [];

  const start = (app: App, more: Record<string, string>): ChildProcess => {
    const preload = ['--import', join(import.meta.dirname, 'jump-clock.mjs')];
    const child = instance.start(app, process.execPath, [...preload, ...appArguments(app, root)], {
      env: { ...env[app], ...more },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      if (stream)
        createInterface({ input: stream }).on('line', (line) => {
          log.write(`${new Date().toISOString()} ${app} ${child.pid} ${line}\n`);
          if (/"level":[56]0/.test(line) || !line.startsWith('{')) errors.push(`${app} ${line}`);
        });
    }
    return child;
  };
  const keepUp = async (app: App, more: Record<string, string>): Promise<Member> => {
    const member = { app, child: start(app, more) };
    await ready(member.child);
    const keep = async () => {
      for (;;) {
        await exited(member.child);
        if (ending) return;
        await sleep(RESTART_DELAY_MS);
        if (ending) return;
        member.child = start(app, more);
      }
    };
    keeping.push(keep());
    return member;
  };

  const ports = await Promise.all(Array.from({ length: WIDGETS }, freePort));
  const widgets = ports.map((port) => `http://127.0.0.1:${port}`);
  const members = await Promise.all([
    ...ports.map((port) => keepUp('widget', { PORT: String(port) })),
    ...Array.from({ length: WORKERS }, () => keepUp('worker', {})),
  ]);
  const proxy = await httpProxy(() => ports.map((port) => ({ host: '127.0.0.1', port })));

  return {
    base: proxy.address,
    widgets,
    members,
    errors,
    async end(look) {
      ending = true;
      proxy.close();
      for (const { child } of members) child.kill('SIGTERM');
      const late = sleep(END_MS).then(() => members.forEach(({ child }) => child.kill('SIGKILL')));
      await Promise.race([Promise.all(keeping), late.then(() => Promise.all(keeping))]);
      const sweeper = start('worker', { PREPARED_CONTAINERS: '0' });
      try {
        await ready(sweeper);
        return await look();
      } finally {
        sweeper.kill('SIGTERM');
        await exited(sweeper);
        log.end();
      }
    },
  };
}

async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

async function ready(child: ChildProcess): Promise<void> {
  const [first] = (await Promise.race([
    once(child, 'message'),
    exited(child).then(() => ['ended']),
    sleep(READY_MS, ['late'], { ref: false }),
  ])) as unknown[];
  if (typeof first !== 'object')
    throw new Error(
      `A widget or worker was not ready within ${READY_MS / 1000} s: ${JSON.stringify(first)}. The log says why.`,
    );
}
