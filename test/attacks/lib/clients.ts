/**
 * Clients of a widget that no library would be: they have addresses of their own, and read or send as slowly
 * as they like.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A POST's head; `more` are header lines. */
export const head = (path: string, ...more: string[]) =>
  ['POST', path, 'HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'].join(' ') +
  more.map((line) => `${line}\r\n`).join('') +
  '\r\n';

export const posting = (path: string, body: string, ...more: string[]) =>
  head(path, `Content-Length: ${Buffer.byteLength(body)}`, ...more) + body;

/** A connection to a widget from the loopback address 127.0.0.`from`; a new one is another client to it. */
export async function open(base: string, from = 1): Promise<Socket> {
  const socket = connect({ port: Number(new URL(base).port), host: '127.0.0.1', localAddress: `127.0.0.${from}` });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** What comes behind the request until the connection is closed or `ms` are over, as Latin-1. */
export async function answerTo(socket: Socket, request: string | Buffer, ms: number): Promise<string> {
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
  socket.write(request);
  await Promise.race([once(socket, 'close'), sleep(ms, undefined, { ref: false })]);
  socket.destroy();
  return answer;
}

/** Writes all parts, as fast as they are taken, until `ms` are over or the connection is cut. */
export async function writeAll(socket: Socket, parts: Iterable<string | Buffer>, ms: number): Promise<void> {
  const deadline = Date.now() + ms;
  for (const part of parts) {
    if (socket.destroyed || Date.now() > deadline) return;
    if (!socket.write(part)) await drained(socket, deadline - Date.now());
  }
}

function drained(socket: Socket, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      socket.off('drain', end).off('close', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    socket.on('drain', end).on('close', end);
  });
}

/** Milliseconds of processor time that a process has used so far. */
export function processorMs({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}
