/**
 * On Debian as root: one dockerd, shared by all checkouts on this machine. The first command that needs it
 * starts it, and the last one stops it. Any other dockerd is never stopped.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import Docker from 'dockerode';

import { engineOptions } from '../../packages/sandbox/src/docker-runtime.js';
import { USUAL_SOCKET } from './engine-address.js';
import { tail } from './instance.js';
import { isLocked, lockPath, tryLock, type Unlock, withLock } from './lock.js';
import { systemPath } from './packages.js';
import { machineFolder } from './paths.js';
import { Problem } from './report.js';

const START_MS = 60_000;
/** An idle engine stops in half a second. */
const STOP_MS = 2_500;
const POLL_MS = 50;
const PID_FILE = '/var/run/docker.pid';
const CONTAINERD_PID_FILE = '/var/run/docker/containerd/containerd.pid';

/** Contains the process id of a dockerd that a checkout has started. */
const recordPath = () => join(machineFolder(), 'dockerd');
const logPath = () => join(machineFolder(), 'dockerd.log');
/** Contains a file for each command that needs dockerd, named by its process id, which holds a lock. */
const usersFolder = () => join(machineFolder(), 'dockerd-users');
const userLock = (pid: string) => lockPath(`dockerd-user-${pid}`);
const docker = new Docker(engineOptions({ dockerHost: `unix://${USUAL_SOCKET}` }));
let unlockUse: Unlock | undefined;

/** Resolves, once dockerd answers, to whether this command now uses a dockerd that the project started. */
export async function useDockerd(how: 'start it' | 'if it is ours', signal: AbortSignal): Promise<boolean> {
  if (process.getuid?.() !== 0 || process.platform !== 'linux') return false;
  return withLock('dockerd', async () => {
    if (runningDockerd() === undefined) {
      if (how === 'if it is ours') return false;
      start();
    }
    mkdirSync(usersFolder(), { recursive: true });
    writeFileSync(join(usersFolder(), String(process.pid)), '');
    unlockUse ??= await tryLock(userLock(String(process.pid)));
    for (
      const deadline = performance.now() + START_MS;
      !(await answers());
      await sleep(POLL_MS, undefined, { signal })
    ) {
      if (runningDockerd() === undefined) throw new Problem(`dockerd has ended:\n${tail(logPath())}`);
      if (performance.now() > deadline)
        throw new Problem(`dockerd has not answered for ${START_MS / 1000} s:\n${tail(logPath())}`);
    }
    return true;
  });
}

/** Resolves to whether dockerd was stopped, which requires that no other command uses it. */
export async function leaveDockerd(): Promise<boolean> {
  if (unlockUse === undefined) return false;
  return withLock('dockerd', async () => {
    unlockUse?.();
    unlockUse = undefined;
    rmSync(join(usersFolder(), String(process.pid)), { force: true });
    const pid = runningDockerd();
    if (pid === undefined || (await isInUse())) return false;
    process.kill(pid, 'SIGTERM');
    const deadline = performance.now() + STOP_MS;
    while (runningDockerd() && performance.now() < deadline) await sleep(POLL_MS);
    if (runningDockerd()) process.kill(pid, 'SIGKILL');
    rmSync(recordPath(), { force: true });
    return true;
  });
}

/** By another command, or by containers of other projects. */
async function isInUse(): Promise<boolean> {
  for (const pid of readdirSync(usersFolder())) {
    if (await isLocked(userLock(pid))) return true;
    rmSync(join(usersFolder(), pid), { force: true });
  }
  const containers = await docker.listContainers().catch(() => []);
  return containers.some(({ Labels }) => !Object.keys(Labels).some((label) => label.startsWith('code-widgets.')));
}

function runningDockerd(): number | undefined {
  const pid = existsSync(recordPath()) ? Number(readFileSync(recordPath(), 'utf8')) : 0;
  return isProcess(pid, 'dockerd') ? pid : undefined;
}

function start(): void {
  // dockerd refuses to start if any process has the id in its pid file, so stale files are removed first.
  for (const file of [PID_FILE, CONTAINERD_PID_FILE]) {
    if (existsSync(file) && !isProcess(Number(readFileSync(file, 'utf8')), basename(file, '.pid'))) rmSync(file);
  }
  const log = openSync(logPath(), 'w');
  const { HOME, HTTP_PROXY, HTTPS_PROXY, NO_PROXY, http_proxy, https_proxy, no_proxy } = process.env;
  const env = { PATH: systemPath, HOME, HTTP_PROXY, HTTPS_PROXY, NO_PROXY, http_proxy, https_proxy, no_proxy };
  // Detached, since it may outlive the command and the terminal that started it.
  const child = spawn('dockerd', [], { cwd: '/', env, stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  child.on('error', () => {}); // `pid` is undefined then.
  if (child.pid === undefined) throw new Problem('dockerd cannot be started: is docker.io installed?');
  child.unref();
  writeFileSync(recordPath(), String(child.pid));
}

/** A number alone is not enough: the kernel gives it to another process later. A zombie has no command line. */
function isProcess(pid: number, command: string): boolean {
  try {
    return pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(command);
  } catch {
    return false;
  }
}

function answers(): Promise<boolean> {
  return docker.ping().then(
    () => true,
    () => false,
  );
}
