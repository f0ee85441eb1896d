/** A listening app, and raw connections on which a test writes any bytes. */
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import type { App } from '../src/app-type.js';
import type { AppDependencies } from '../src/app.js';
import { eventually } from '../../../test/helpers/eventually.js';
import { appWith, closeApps, RUN } from './app-with.js';

/** Far above the timeouts under test, for a busy machine, and below the service's own. */
export const SOON_MS = 8000;
export const SOON = { limitMs: SOON_MS, everyMs: 1 };

const sockets: Socket[] = [];
export async function closeConnections(): Promise<void> {
  for (const socket of sockets.splice(0)) socket.destroy();
  await closeApps();
}

/** Starts an app with the timeouts that the test sets, and no other short ones. */
export async function listening(dependencies: Partial<AppDependencies> = {}) {
  const { app, submitted } = await appWith({
    ...dependencies,
    serverLimits: { checkMs: 50, ...dependencies.serverLimits },
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { app, submitted };
}

export interface Connection {
  socket: Socket;
  /** The text received so far. */
  text: () => string;
  /** Resolves with the received text and elapsed milliseconds when the connection closes. */
  closed: Promise<{ text: string; ms: number }>;
}

export async function open(app: App): Promise<Connection> {
  const begin = performance.now();
  // The client may still write for a moment after the server has closed its side.
  const socket = connect({ port: (app.server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket);
  let text = '';
  socket.on('end', () => setTimeout(() => socket.end(), 100));
  socket.on('data', (data) => (text += data.toString('latin1')));
  // Resets are expected here; only the received text matters.
  socket.on('error', () => undefined);
  const closed = new Promise<{ text: string; ms: number }>((resolve) => {
    socket.on('close', () => resolve({ text, ms: performance.now() - begin }));
  });
  await once(socket, 'connect');
  return { socket, text: () => text, closed };
}

export async function send(app: App, request: string): Promise<string> {
  const { socket, closed } = await open(app);
  socket.write(request);
  return (await closed).text;
}

/** Writes one character at a time until the connection is closed. */
export async function trickle({ socket }: Connection, text: string, everyMs: number): Promise<void> {
  for (const char of text) {
    if (socket.destroyed) return;
    socket.write(char);
    await sleep(everyMs);
  }
}

export function parse(answer: string): { status: number; headers: Record<string, string>; body: unknown } {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  const headers = Object.fromEntries(
    fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 2)]),
  );
  return { status: Number(line.split(' ')[1]), headers, body: body === '' ? undefined : (JSON.parse(body) as unknown) };
}

export const JSON_RUN = JSON.stringify(RUN);
export const HEAD = 'POST /run_program/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
export const LENGTH = `Content-Length: ${JSON_RUN.length}\r\n\r\n`;
const POLL_BODY = '{"identifier":"11111111-2222-4333-8444-555555555555"}';
export const POLL = `POST /check_output/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${POLL_BODY.length}\r\n\r\n${POLL_BODY}`;
const connectionsOf = (app: App) =>
  new Promise<number>((resolve, reject) =>
    app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );

/** Milliseconds until the server has no connections. */
export async function untilAlone(app: App): Promise<number> {
  const begin = performance.now();
  await eventually('the server has no connection', async () => (await connectionsOf(app)) === 0, {
    limitMs: SOON_MS,
    everyMs: 10,
  });
  return performance.now() - begin;
}
