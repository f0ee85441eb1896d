import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import Docker from 'dockerode';

import { tail } from './instance.js';
import { Leases } from './leases.js';
import { withLock } from './lock.js';
import { machineFolder } from './paths.js';
import { commandOf, endGroup, identify, isAlive, type ProcessIdentity } from './processes.js';
import { systemPath } from './packages.js';
import { Problem } from './report.js';

/** Where a dockerd lives; another place than the usual one only to try this module out. */
export interface DockerdPlace {
  /** For the lock, the leases, the log, and who dockerd is. */
  readonly folder: string;
  readonly socket: string;
  readonly pidFile: string;
  readonly containerdPidFile: string;
  readonly args: readonly string[];
}

export const usualPlace: DockerdPlace = {
  folder: machineFolder,
  socket: '/var/run/docker.sock',
  pidFile: '/var/run/docker.pid',
  containerdPidFile: '/var/run/docker/containerd/containerd.pid',
  args: [],
};

const START_MS = 60_000;
const POLL_MS = 50;

/**
 * The engine that all checkouts on this machine share while one of them needs it: whoever comes
 * first starts it, the last to leave stops it. An engine that somebody else started is used, and
 * never touched.
 */
export class SharedDockerd {
  private readonly leases: Leases;

  constructor(private readonly place: DockerdPlace = usualPlace) {
    this.leases = new Leases(join(place.folder, 'engine-users'));
  }

  /** Makes sure that an engine answers; tells whether it had to be started. */
  async use(signal: AbortSignal): Promise<'was there' | 'started'> {
    return this.locked(async () => {
      const shared = this.sharedProcess();
      if (shared) this.leases.take();
      if (await answers(this.place.socket)) return 'was there';
      const dockerd = shared ?? this.start();
      this.leases.take();
      await this.untilItAnswers(dockerd, signal);
      return 'started';
    });
  }

  /** Gives the engine up; stops it when it is the project's and nobody else uses it. */
  async leave(patienceMs: number): Promise<'stopped' | 'left running'> {
    return this.locked(async () => {
      this.leases.giveUp();
      const shared = this.sharedProcess();
      if (!shared || this.leases.areHeld() || (await this.runsForOthers())) return 'left running';
      await endGroup(shared, 'SIGTERM', patienceMs);
      rmSync(this.recordPath, { force: true });
      return 'stopped';
    });
  }

  /** The dockerd that a checkout has started, if it is alive. */
  private sharedProcess(): ProcessIdentity | undefined {
    try {
      const recorded = JSON.parse(readFileSync(this.recordPath, 'utf8')) as ProcessIdentity;
      return isAlive(recorded) ? recorded : undefined;
    } catch {
      return undefined; // No checkout has started one.
    }
  }

  private start(): ProcessIdentity {
    if (process.getuid?.() !== 0) {
      throw new Problem(
        `No engine answers on ${this.place.socket}. Have root start one (sudo systemctl start docker) ` +
          'and this user be in the group docker, or set DOCKER_HOST.',
      );
    }
    removeIfStale(this.place.pidFile, 'dockerd');
    removeIfStale(this.place.containerdPidFile, 'containerd');
    const log = openSync(this.logPath, 'w');
    // In a session of its own, since it may outlive the terminal of who started it; with little of
    // the environment, since it belongs to no checkout and no test run.
    const { HOME, HTTP_PROXY, HTTPS_PROXY, NO_PROXY, http_proxy, https_proxy, no_proxy } = process.env;
    const env = { PATH: systemPath, HOME, HTTP_PROXY, HTTPS_PROXY, NO_PROXY, http_proxy, https_proxy, no_proxy };
    const args = ['--host', `unix://${this.place.socket}`, '--pidfile', this.place.pidFile, ...this.place.args];
    const child = spawn('dockerd', args, { cwd: '/', env, stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    child.on('error', () => {}); // Seen below: then it has no number.
    const dockerd = child.pid === undefined ? undefined : identify(child.pid);
    if (!dockerd) throw new Problem('dockerd cannot be started: is docker.io installed?');
    child.unref();
    writeFileSync(this.recordPath, JSON.stringify(dockerd));
    return dockerd;
  }

  private async untilItAnswers(dockerd: ProcessIdentity, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + START_MS;
    while (!(await answers(this.place.socket))) {
      if (!isAlive(dockerd)) throw new Problem(`dockerd has ended:\n${tail(this.logPath)}`);
      if (performance.now() > deadline) throw new Problem(`dockerd does not answer:\n${tail(this.logPath)}`);
      await sleep(POLL_MS, undefined, { signal });
    }
  }

  /** Whether containers run that none of the project's workers made: stopping would end them. */
  private async runsForOthers(): Promise<boolean> {
    const containers = await new Docker({ socketPath: this.place.socket }).listContainers().catch(() => []);
    return containers.some(({ Labels }) => !('code-widgets.namespace' in Labels));
  }

  private locked<T>(work: () => Promise<T>): Promise<T> {
    mkdirSync(this.place.folder, { recursive: true });
    return withLock(join(this.place.folder, 'engine.lock'), work);
  }

  private get recordPath(): string {
    return join(this.place.folder, 'dockerd.json');
  }

  private get logPath(): string {
    return join(this.place.folder, 'dockerd.log');
  }
}

/**
 * Removes the pid file of a daemon that was killed. dockerd only looks whether a process of that
 * number is there, and by now it can be another's, or a zombie's: then it refuses to start, or
 * waits for a containerd that will never answer.
 */
function removeIfStale(pidFile: string, command: string): void {
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8'));
  if (!identify(pid) || !commandOf(pid).includes(command)) rmSync(pidFile);
}

const PING_MS = 10_000;

/**
 * Whether an engine answers at a socket. A socket without a process refuses at once; the patience
 * is for systemd's, which accepts first and starts the engine then.
 */
export async function answers(socketPath: string): Promise<boolean> {
  return new Docker({ socketPath, timeout: PING_MS }).ping().then(
    () => true,
    () => false,
  );
}
