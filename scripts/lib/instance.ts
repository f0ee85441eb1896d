import { type ChildProcess, execFileSync, spawn, type SpawnOptions } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { checkout, stateRoot } from './paths.js';
import { endGroup, identify, killGroup, type ProcessIdentity } from './processes.js';
import { Problem } from './report.js';

/** What a process is for; it decides when and with how much patience it is ended. */
export type Role = 'widget' | 'worker' | 'tool' | 'engine' | 'broker' | 'epmd';

export interface RecordedProcess extends ProcessIdentity {
  readonly role: Role;
}

/** What the next command needs to know when this one was killed: processes.json. */
export interface InstanceRecord {
  readonly supervisor: ProcessIdentity;
  /** Prefix of the queues and label of the containers. */
  readonly namespace: string;
  /** Whether it is about to end by itself. */
  readonly stopping: boolean;
  readonly processes: RecordedProcess[];
}

/** How long a worker may go on with its tasks before it has to give them back. */
export const WORKER_GRACE_MS = 9_000;

/** Roles that are ended together, and how. */
export interface Stage {
  readonly roles: readonly Role[];
  readonly signal: NodeJS.Signals;
  readonly patienceMs: number;
}

/**
 * What is ended, in this order: first those that need something, then what they need. The patience
 * of all together stays under the 15 seconds in which a stop has to be over.
 */
export const PROGRAM_STAGES: readonly Stage[] = [
  { roles: ['widget'], signal: 'SIGTERM', patienceMs: 1_300 },
  { roles: ['worker'], signal: 'SIGTERM', patienceMs: WORKER_GRACE_MS + 700 },
  // On SIGINT, apt-get lets dpkg finish the package in hand.
  { roles: ['tool'], signal: 'SIGINT', patienceMs: 8_000 },
];
export const BROKER_STAGES: readonly Stage[] = [
  // One of a run's own; the shared one is nobody's child.
  { roles: ['engine'], signal: 'SIGTERM', patienceMs: 2_500 },
  { roles: ['broker'], signal: 'SIGTERM', patienceMs: 2_500 },
  { roles: ['epmd'], signal: 'SIGTERM', patienceMs: 200 },
];
const LOG_TAIL_LINES = 20;

/**
 * One run of `npm start` or `npm test`: its folder, and the processes it has started. Whatever it
 * starts leads a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone and
 * the order of the stop holds.
 */
export class Instance {
  readonly folder: string;
  private readonly processes = new Set<RecordedProcess>();
  private readonly stopping = new AbortController();
  private readonly temporary: string[] = [];
  private closed = false;

  /**
   * @param name of its folder under .state
   * @param namespace prefix of its queues, label of its containers
   * @param marks what everything that it starts has in its environment
   */
  constructor(
    name: string,
    readonly namespace: string,
    private readonly marks: NodeJS.ProcessEnv,
  ) {
    this.folder = instanceFolder(name);
    mkdirSync(this.folder, { recursive: true });
    this.writeRecord();
  }

  /** Aborted by `refuse`: whoever waits for something that is being started stops waiting. */
  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  /** From now on nothing new is started. */
  refuse(): void {
    this.stopping.abort();
    this.writeRecord();
  }

  start(role: Role, command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    this.signal.throwIfAborted();
    const env = { ...process.env, ...this.marks, ...options.env };
    const child = spawn(command, args, { cwd: checkout, ...options, env, detached: true });
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (identity) {
      const recorded = { ...identity, role };
      this.processes.add(recorded);
      this.writeRecord();
      child.once('exit', () => {
        this.processes.delete(recorded);
        this.writeRecord();
      });
    }
    return child;
  }

  /** Runs a command to its end with its output in `<folder>/<log>`; fails with the end of that. */
  async run(log: string, command: string, args: readonly string[], options: SpawnOptions = {}): Promise<void> {
    const path = join(this.folder, log);
    const output = openSync(path, 'w');
    try {
      const child = this.start('tool', command, args, { stdio: ['ignore', output, output], ...options });
      const status = await exitOf(child);
      if (status !== 0) throw new Problem(`${command} failed (${status}):\n${tail(path)}`);
    } finally {
      closeSync(output);
    }
  }

  /** Ends what was started for the roles of these stages; nothing of it is left afterwards. */
  async end(stages: readonly Stage[]): Promise<void> {
    await endInOrder([...this.processes], stages);
  }

  /** A folder with a short path, for sockets; `close` removes it, or the run that finds it after a kill. */
  temporaryFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), `code-widgets-${this.namespace.replace(/^test-/, '')}-`));
    this.temporary.push(folder);
    return folder;
  }

  /** SIGKILL to everything that was started, at once. */
  async kill(): Promise<void> {
    await Promise.all([...this.processes].map(killGroup));
  }

  /** Forgets the run; `folder` too when nothing in it is worth keeping. */
  close(keep: 'keep folder' | 'remove folder'): void {
    this.closed = true;
    this.temporary.forEach(removeFolder);
    if (keep === 'remove folder') removeFolder(this.folder);
    else rmSync(recordPath(this.folder), { force: true });
  }

  private writeRecord(): void {
    if (this.closed) return;
    const supervisor = identify(process.pid);
    if (!supervisor) throw new Error('This process has no entry in /proc.');
    const record: InstanceRecord = {
      supervisor,
      namespace: this.namespace,
      stopping: this.signal.aborted,
      processes: [...this.processes],
    };
    const path = recordPath(this.folder);
    try {
      // Renamed into place, since a kill may come in the middle of the writing.
      writeFileSync(`${path}.new`, JSON.stringify(record, undefined, 2));
      renameSync(`${path}.new`, path);
    } catch (error) {
      // Somebody has removed the checkout: whoever could clean up by the record is gone with it,
      // but everything that runs has still to be ended.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

export function instanceFolder(name: string): string {
  return join(stateRoot, name);
}

/** With all that is in it, and what is mounted there taken off before. */
export function removeFolder(folder: string): void {
  const mounted = readFileSync('/proc/mounts', 'utf8').split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const path of mounted.filter((each) => each.startsWith(`${folder}/`)).reverse()) execFileSync('umount', ['--lazy', path]);
  rmSync(folder, { recursive: true, force: true });
}

export async function endInOrder(processes: readonly RecordedProcess[], stages: readonly Stage[]): Promise<void> {
  for (const { roles, signal, patienceMs } of stages) {
    const due = processes.filter(({ role }) => roles.includes(role));
    await Promise.all(due.map((process) => endGroup(process, signal, patienceMs)));
  }
}

/** The record of an instance, of this process or another, alive or not. */
export function readRecord(folder: string): InstanceRecord | undefined {
  try {
    return JSON.parse(readFileSync(recordPath(folder), 'utf8')) as InstanceRecord;
  } catch {
    return undefined; // There is none, or it is no record: nothing that could be relied on.
  }
}

/** The exit status of a child: a number, the name of the signal that ended it, or why it never began. */
export function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
}

/** The last lines of a log, for an error message. */
export function tail(path: string): string {
  return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
}

function recordPath(folder: string): string {
  return join(folder, 'processes.json');
}
