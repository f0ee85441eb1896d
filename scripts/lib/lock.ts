/**
 * Locks between the project's commands on this machine. A lock is a listening Unix socket: the
 * kernel closes it with its process, so a killed command holds no lock.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { machineFolder } from './paths.js';

const RETRY_MS = 50;
const WORTH_SAYING_MS = 1_000;
/** Longer than another process takes between its two steps of replacing a stale file. */
const RACE_MS = 50;

export type Unlock = () => void;

/** The path of a lock's socket. Short, since such a path may have at most 104 bytes. */
export const lockPath = (name: string): string =>
  join(machineFolder(), `${createHash('sha256').update(name).digest('hex').slice(0, 16)}.lock`);

/** Acquires the lock, or resolves to undefined if another process holds it. */
export async function tryLock(path: string): Promise<Unlock | undefined> {
  let server = await listen(path);
  if (!server && !(await isLocked(path))) {
    // Its process was killed, and only the file is left.
    rmSync(path, { force: true });
    server = await listen(path);
    const own = inodeOf(path);
    await sleep(RACE_MS);
    // Another process has found the same stale file and replaced ours.
    if (server && inodeOf(path) !== own) return undefined;
  }
  return server && (() => void server.close());
}

/** Also true if it is unknown: only a refusal or a missing file means that the lock is free. */
export async function isLocked(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    return !['ECONNREFUSED', 'ENOENT'].includes(String((error as NodeJS.ErrnoException).code));
  } finally {
    socket.destroy();
  }
}

/** @param waiting called when another process has held the lock for a second */
export async function withLock<T>(name: string, work: () => Promise<T>, waiting?: () => void): Promise<T> {
  const path = lockPath(name);
  let unlock = await tryLock(path);
  for (let waitedMs = 0; !unlock; waitedMs += RETRY_MS) {
    if (waitedMs === WORTH_SAYING_MS) waiting?.();
    await sleep(RETRY_MS);
    unlock = await tryLock(path);
  }
  try {
    return await work();
  } finally {
    unlock();
  }
}

const inodeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.ino;

async function listen(path: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy()).listen(path);
  try {
    await once(server, 'listening');
    server.unref();
    return server;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
}
