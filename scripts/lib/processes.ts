import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * One process and no other: numbers are used again, so the moment of its start (boot and clock
 * ticks since then) belongs to its identity wherever it is written down for later.
 */
export interface ProcessIdentity {
  readonly pid: number;
  readonly started: string;
}

const POLL_MS = 25;
/** How long the kernel may take to end what got SIGKILL. */
const KILLED_MS = 2_000;

const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** The identity of a running process; undefined where there is none, or only a zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  const { state, ticks } = readStat(pid);
  if (state === undefined || ticks === undefined || 'ZX'.includes(state)) return undefined;
  return { pid, started: `${boot}/${ticks}` };
}

/** 0 for the first process of all, and for one that has ended. */
export function parentOf(pid: number): number {
  return Number(readStat(pid).parent ?? 0);
}

export function isAlive(process: ProcessIdentity): boolean {
  return identify(process.pid)?.started === process.started;
}

/** A signal to a process that leads its own group; after `patienceMs`, SIGKILL to the whole group. */
export async function endGroup(leader: ProcessIdentity, signal: NodeJS.Signals, patienceMs: number): Promise<void> {
  if (!isAlive(leader)) return;
  sendSignal(leader.pid, signal);
  await hasEnded(leader, patienceMs);
  // Even when the leader went by itself: what it left in its group has no one to end it.
  await killGroup(leader);
}

/** SIGKILL to a process that led or leads its own group, and to all of that group. */
export async function killGroup(leader: ProcessIdentity): Promise<void> {
  sendSignal(-leader.pid, 'SIGKILL');
  await hasEnded(leader, KILLED_MS);
}

/** SIGKILL to one process. */
export async function kill(process: ProcessIdentity): Promise<void> {
  sendSignal(process.pid, 'SIGKILL');
  await hasEnded(process, KILLED_MS);
}

/** Waits until a process has ended; false when it is still there after `patienceMs`. */
export async function hasEnded(process: ProcessIdentity, patienceMs: number): Promise<boolean> {
  const deadline = performance.now() + patienceMs;
  while (isAlive(process)) {
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** Every process whose environment, as it was started with, has the setting `NAME=value`. */
export function processesWith(setting: string): ProcessIdentity[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => readProcess(pid, 'environ')?.split('\0').includes(setting))
    .map(identify)
    .filter((found) => found !== undefined);
}

/** The command of a process as a person would recognise it. */
export function commandOf(pid: number): string {
  return readProcess(pid, 'cmdline')?.replaceAll('\0', ' ').trim() ?? '';
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended in the meantime, which is what the signal was for.
  }
}

/** See proc_pid_stat(5); the fields behind the command, which may itself hold spaces and brackets. */
function readStat(pid: number): { state?: string | undefined; parent?: string | undefined; ticks?: string | undefined } {
  const fields = readProcess(pid, 'stat')?.replace(/^.*\) /s, '').split(' ');
  return { state: fields?.[0], parent: fields?.[1], ticks: fields?.[19] };
}

function readProcess(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined; // It has ended, or belongs to somebody whose secrets we may not read.
  }
}
