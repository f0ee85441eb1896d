/**
 * Locks between the project's commands on this machine. A lock is a listening Unix socket: the
 * kernel closes it with its process, however that ends, so no lock is ever left behind.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { machineFolder } from './paths.js';

const RETRY_MS = 50;
const WORTH_SAYING_MS = 1_000;

export type Unlock = () => void;

/** Takes the lock, or resolves to undefined if another process, or this one, holds it. */
export async function tryLock(name: string): Promise<Unlock | undefined> {
  const path = pathOf(name);
  mkdirSync(machineFolder, { recursive: true, mode: 0o700 });
  let server = await listen(path);
  if (!server && !(await isLocked(name))) {
    // Its process was killed, and only the file is left. Two that find this at the same moment
    // could both take the lock; at worst one piece of work is done twice.
    rmSync(path, { force: true });
    server = await listen(path);
  }
  return server && (() => void server.close());
}

export async function isLocked(name: string): Promise<boolean> {
  const socket = connect(pathOf(name));
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** @param waiting called when another process has held the lock for a second */
export async function withLock<T>(name: string, work: () => Promise<T>, waiting?: () => void): Promise<T> {
  let unlock = await tryLock(name);
  for (let waitedMs = 0; !unlock; waitedMs += RETRY_MS) {
    if (waitedMs === WORTH_SAYING_MS) waiting?.();
    await sleep(RETRY_MS);
    unlock = await tryLock(name);
  }
  try {
    return await work();
  } finally {
    unlock();
  }
}

/** Short, since the path of a socket has at most 104 bytes. */
const pathOf = (name: string) => join(machineFolder, `${createHash('sha256').update(name).digest('hex').slice(0, 16)}.lock`);

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
