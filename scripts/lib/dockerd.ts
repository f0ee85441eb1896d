/**
 * On Debian as root: the one dockerd that all checkouts share while a command of theirs needs it.
 * The first command starts it, and the last one to leave stops it. A dockerd that somebody else
 * started is never stopped.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import Docker from 'dockerode';

import { tail } from './instance.js';
import { withLock } from './lock.js';
import { systemPath } from './packages.js';
import { machineFolder } from './paths.js';
import { Problem } from './report.js';

const START_MS = 60_000;
/** An idle engine stops in half a second. */
const STOP_MS = 2_500;
const POLL_MS = 50;
const PID_FILE = '/var/run/docker.pid';
const CONTAINERD_PID_FILE = '/var/run/docker/containerd/containerd.pid';

/** Has the process number of the dockerd that a checkout has started. */
const recordPath = join(machineFolder, 'dockerd');
const logPath = join(machineFolder, 'dockerd.log');

/** Resolves when it answers. */
export async function startDockerd(signal: AbortSignal): Promise<void> {
  await withLock('dockerd', async () => {
    if (runningDockerd() === undefined) start();
    for (const deadline = performance.now() + START_MS; !(await answers()); await sleep(POLL_MS, undefined, { signal })) {
      if (runningDockerd() === undefined) throw new Problem(`dockerd has ended:\n${tail(logPath)}`);
      if (performance.now() > deadline) throw new Problem(`dockerd has not answered for ${START_MS / 1000} s:\n${tail(logPath)}`);
    }
  });
}

/** Stops the dockerd that a checkout has started, unless a container runs: another command needs it then. */
export async function stopDockerd(): Promise<boolean> {
  if (runningDockerd() === undefined) return false;
  return withLock('dockerd', async () => {
    const pid = runningDockerd();
    const containers = await new Docker().listContainers().catch(() => []);
    if (pid === undefined || containers.length > 0) return false;
    process.kill(pid, 'SIGTERM');
    const deadline = performance.now() + STOP_MS;
    while (runningDockerd() && performance.now() < deadline) await sleep(POLL_MS);
    if (runningDockerd()) process.kill(-pid, 'SIGKILL');
    rmSync(recordPath, { force: true });
    return true;
  });
}

function runningDockerd(): number | undefined {
  const pid = existsSync(recordPath) ? Number(readFileSync(recordPath, 'utf8')) : 0;
  return isProcess(pid, 'dockerd') ? pid : undefined;
}

function start(): void {
  // dockerd looks only whether some process has the number in its pid file, and refuses to start then.
  for (const file of [PID_FILE, CONTAINERD_PID_FILE]) {
    if (existsSync(file) && !isProcess(Number(readFileSync(file, 'utf8')), basename(file, '.pid'))) rmSync(file);
  }
  const log = openSync(logPath, 'w');
  const { HOME, HTTP_PROXY, HTTPS_PROXY, NO_PROXY, http_proxy, https_proxy, no_proxy } = process.env;
  const env = { PATH: systemPath, HOME, HTTP_PROXY, HTTPS_PROXY, NO_PROXY, http_proxy, https_proxy, no_proxy };
  // Detached, since it may outlive the command and the terminal that started it.
  const child = spawn('dockerd', [], { cwd: '/', env, stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  child.on('error', () => {}); // `pid` is undefined then.
  if (child.pid === undefined) throw new Problem('dockerd cannot be started: is docker.io installed?');
  child.unref();
  writeFileSync(recordPath, String(child.pid));
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
  return new Docker().ping().then(() => true, () => false);
}
