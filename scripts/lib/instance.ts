import { type ChildProcess, execFileSync, spawn, type SpawnOptions } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { isLocked, lockPath, tryLock, type Unlock } from './lock.js';
import { checkout, stateRoot } from './paths.js';
import { Problem, say } from './report.js';

/** What a process is for, which determines when, with which signal and within which time it is ended. */
export type Role = keyof typeof STAGES;

/** How long a worker may go on with its tasks before it has to requeue them. */
export const WORKER_GRACE_MS = 9_000;

/** Shutdown order: a process ends before the processes that it depends on. */
const STAGES = {
  widget: { signal: 'SIGTERM', patienceMs: 1_300 },
  worker: { signal: 'SIGTERM', patienceMs: WORKER_GRACE_MS + 700 },
  // On SIGINT, apt-get lets dpkg finish the current package.
  tool: { signal: 'SIGINT', patienceMs: 8_000 },
  engine: { signal: 'SIGTERM', patienceMs: 2_500 },
} as const;
const LOG_TAIL_LINES = 20;

/** What other commands can read about an instance. */
export interface InstanceRecord {
  /** Prefix of its queues, label of its containers. */
  readonly namespace: string;
  /** Set once its broker runs: the address for the user with all rights. */
  readonly amqpUrl?: string;
  /** Path of the lock that it holds. Recorded, since it depends on the command's user and environment. */
  readonly lock: string;
}

/** Time for starts in progress when a stop begins. */
const SETTLE_MS = 5_000;

/**
 * One run of `npm start` or `npm test`: its folder, its lock and its child processes. Each child has its own
 * session, so Ctrl-C reaches only this process, which stops the children in order. Apps and tests also end when
 * this process is killed.
 */
export class Instance {
  readonly folder: string;
  private readonly children = new Map<ChildProcess, Role>();
  private readonly stopping = new AbortController();
  private readonly starting: Promise<unknown>[] = [];

  private constructor(
    readonly name: string,
    readonly namespace: string,
    private readonly lock: string,
    private readonly unlock: Unlock,
  ) {
    this.folder = instanceFolder(name);
    mkdirSync(this.folder, { recursive: true });
    this.record({});
  }

  /**
   * @param namespace prefix of its queues, label of its containers
   * @throws Problem when an instance of that name runs in this checkout
   */
  static async open(name: string, namespace: string): Promise<Instance> {
    const lock = lockPath(instanceFolder(name));
    const other = readRecord(name)?.lock;
    const isOthers = other !== undefined && other !== lock && (await isLocked(other));
    const unlock = isOthers ? undefined : await tryLock(lock);
    if (!unlock) throw new Problem(`npm ${name} is already running in this checkout: stop it first with Ctrl-C.`);
    return new Instance(name, namespace, lock, unlock);
  }

  record(more: Pick<InstanceRecord, 'amqpUrl'>): void {
    writeFileSync(recordPath(this.folder), JSON.stringify({ namespace: this.namespace, lock: this.lock, ...more }), {
      mode: 0o600,
    });
  }

  /** `end` waits for this work, which must give up when `signal` is aborted. */
  async track<T>(work: Promise<T>): Promise<T> {
    this.starting.push(work.catch(() => undefined));
    return work;
  }

  /** Aborted by `refuse`. */
  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  /** Prevents further starts. */
  refuse(): void {
    this.stopping.abort();
  }

  start(role: Role, command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    this.signal.throwIfAborted();
    const child = spawn(command, args, {
      cwd: checkout,
      ...options,
      env: { ...process.env, ...options.env },
      detached: true,
    });
    if (child.pid !== undefined) {
      this.children.set(child, role);
      child.once('exit', () => this.children.delete(child));
    }
    return child;
  }

  /** Runs a command with its output in `<folder>/<log>`; rejects with the last lines of the log. */
  async run(log: string, command: string, args: readonly string[], options: SpawnOptions = {}): Promise<void> {
    const path = join(this.folder, log);
    const output = openSync(path, 'w');
    try {
      const status = await exitOf(this.start('tool', command, args, { stdio: ['ignore', output, output], ...options }));
      if (status !== 0) throw new Problem(`${command} failed (${status}):\n${tail(path)}`);
    } finally {
      closeSync(output);
    }
  }

  /** Ends all children in order and removes the temporary folders. */
  async end(): Promise<void> {
    await Promise.race([Promise.all(this.starting), sleep(SETTLE_MS, undefined, { ref: false })]);
    for (const [role, { signal, patienceMs }] of Object.entries(STAGES)) {
      const due = [...this.children].filter(([, each]) => each === role).map(([child]) => child);
      await Promise.all(due.map((child) => endGroup(child, signal, patienceMs)));
    }
    removeTemporary(this.namespace);
  }

  /** Sends SIGKILL to all children at once. */
  kill(): void {
    for (const child of this.children.keys()) signalGroup(child, 'SIGKILL');
  }

  /** A folder with a short path, for sockets; `end` removes it. */
  temporaryFolder(): string {
    return mkdtempSync(join(tmpdir(), `${temporaryPrefix(this.namespace)}-`));
  }

  /** Releases the lock. `keep`: logs and data stay. */
  close(keep: boolean): void {
    removeFolder(keep ? recordPath(this.folder) : this.folder);
    this.unlock();
  }
}

/**
 * Removes the files of this checkout's killed runs, except those of `npm start`, which cleans up at its next
 * start.
 *
 * @returns their namespaces, whose containers may still exist
 */
export async function forgetKilled(): Promise<string[]> {
  const namespaces: string[] = [];
  for (const name of existsSync(stateRoot) ? readdirSync(stateRoot) : []) {
    const record = name === 'start' ? undefined : readRecord(name);
    if (!record || (await isLocked(record.lock))) continue;
    removeTemporary(record.namespace);
    removeFolder(instanceFolder(name));
    namespaces.push(record.namespace);
  }
  return namespaces;
}

/** Removes mounts below the folder first, as a chaos run leaves them. A folder that cannot be removed is reported. */
function removeFolder(folder: string): void {
  const mounts = existsSync('/proc/mounts')
    ? readFileSync('/proc/mounts', 'utf8')
        .split('\n')
        .map((line) => line.split(' ')[1] ?? '')
    : [];
  try {
    for (const path of mounts.filter((each) => each.startsWith(`${folder}/`)).reverse())
      execFileSync('umount', ['--lazy', path]);
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    say('clean-up', `${folder} cannot be removed: ${(error as Error).message}`);
  }
}

/** The record of an instance of this checkout, running or killed. */
export function readRecord(name: string): InstanceRecord | undefined {
  try {
    return JSON.parse(readFileSync(recordPath(instanceFolder(name)), 'utf8')) as InstanceRecord;
  } catch {
    return undefined;
  }
}

export function instanceFolder(name: string): string {
  return join(stateRoot, name);
}

const recordPath = (folder: string) => join(folder, 'instance.json');

/** The prefix of an instance's temporary folders. */
export const temporaryPrefix = (namespace: string): string => `code-widgets-${namespace.replace(/^test-/, '')}`;

function removeTemporary(namespace: string): void {
  for (const name of readdirSync(tmpdir()).filter((each) => each.startsWith(temporaryPrefix(namespace)))) {
    removeFolder(join(tmpdir(), name));
  }
}

/** Sends a signal to a process; after `patienceMs`, SIGKILL to its whole group. */
async function endGroup(child: ChildProcess, signal: NodeJS.Signals, patienceMs: number): Promise<void> {
  const ended = exitOf(child);
  child.kill(signal);
  await Promise.race([ended, sleep(patienceMs, undefined, { ref: false })]);
  signalGroup(child, 'SIGKILL');
  await ended;
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // The group does not exist any more.
  }
}

/** The exit status of a child: a number, the signal that ended it, or why it did not start. */
export function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode ?? String(child.signalCode));
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
}

/** The last lines of a log, for an error message. */
export function tail(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
}
