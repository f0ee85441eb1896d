/** Raw clients of a widget with their own addresses, which read and send at any speed. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** The head of a POST; `more` are header lines. */
export const head = (path: string, ...more: string[]) =>
  ['POST', path, 'HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'].join(' ') +
  more.map((line) => `${line}\r\n`).join('') +
  '\r\n';

export const posting = (path: string, body: string, ...more: string[]) =>
  head(path, `Content-Length: ${Buffer.byteLength(body)}`, ...more) + body;

/** Connects to a widget from 127.0.0.`from`; each address is another client. */
export async function open(base: string, from = 1): Promise<Socket> {
  const socket = connect({ port: Number(new URL(base).port), host: '127.0.0.1', localAddress: `127.0.0.${from}` });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** The response to the request until the connection closes or `ms` have passed, as Latin-1. */
export async function answerTo(socket: Socket, request: string | Buffer, ms: number): Promise<string> {
  let answer = '';
  socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
  socket.write(request);
  await Promise.race([once(socket, 'close'), sleep(ms, undefined, { ref: false })]);
  socket.destroy();
  return answer;
}

/** Writes all parts until `ms` have passed or the connection closes. */
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

/** Processor time in ms that a process has used so far. */
export function processorMs({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}
