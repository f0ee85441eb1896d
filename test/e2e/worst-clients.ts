/**
 * Sends the most expensive requests of each kind to a widget until stdin is closed. A separate process with low
 * priority, because real clients run on other machines. Fails if a connection is refused. Prints the number of
 * connections of each kind.
 * Arguments: the widget's address, and the identifier of a task with much output.
 */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { constants, setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import { head, open, posting, writeAll } from '../attacks/lib/clients.js';

const MIB = 1024 * 1024;
/** Clients of each kind that costs memory. Their bodies and answers exceed the widget's total limit. */
const MEMORY_CLIENTS = 10;
/** Clients of each kind that costs processor time. */
const PROCESSOR_CLIENTS = 3;

const [base = '', much = ''] = process.argv.slice(2);
let isOver = false;
/** Number of connections of each kind, by its index. */
const used: number[] = [];

/** The address of one of many clients, as a proxy in front adds it. */
const from = (n: number) => `X-Forwarded-For: 192.0.2.${n}`;
const objects = `{"mode":"run","files":[],"z":[${Array(1_000_000).fill('{}').join()}]}`;
const spaces = Buffer.alloc(4 * MIB - 2, ' ');
const bytes = Buffer.from('1\r\n \r\n'.repeat(10_000));

/** Uses one connection for a while. */
type Kind = (socket: Socket, n: number) => Promise<unknown>;

const costingMemory: Kind[] = [
  // Does not read answers.
  async (socket, n) => {
    socket.pause().write(posting('/check_output/', JSON.stringify({ identifier: much, read: 0 }), from(n)).repeat(4));
    await sleep(5000);
  },
  // Sends bodies without their last byte.
  (socket, n) =>
    writeAll(socket, [head('/run_program/', `Content-Length: ${4 * MIB}`, from(n)), spaces], 5000).then(() =>
      sleep(3000),
    ),
];
const costingTime: Kind[] = [
  (socket, n) =>
    writeAll(
      socket,
      [head('/run_program/', 'Transfer-Encoding: chunked', from(n)), ...Array<Buffer>(100).fill(bytes)],
      5000,
    ).then(() => sleep(3000)),
  // Sends complete bodies that are refused.
  (socket, n) => writeAll(socket, [posting('/run_program/', objects, from(n))], 5000).then(() => sleep(2000)),
  (socket, n) => writeAll(socket, [posting('/check_output/', objects, from(n))], 5000).then(() => sleep(2000)),
  // Polls unknown identifiers.
  async (socket, n) => {
    socket.resume();
    await writeAll(
      socket,
      Array.from({ length: 100 }, () =>
        posting('/check_output/', JSON.stringify({ identifier: randomUUID() }), from(n)),
      ),
      5000,
    );
    await sleep(3000);
  },
];

/** Opens one connection after another. */
async function keepConnecting(kind: Kind, place: number, n: number): Promise<void> {
  while (!isOver) {
    const socket = await open(base);
    await kind(socket, n);
    used[place] = (used[place] ?? 0) + 1;
    socket.destroy();
  }
}

setPriority(constants.priority.PRIORITY_LOW);
process.stdin.resume().once('end', () => {
  isOver = true;
  console.log(JSON.stringify(used));
  setTimeout(() => process.exit(), 1000);
});
const all = [
  ...costingMemory.map((kind) => ({ kind, count: MEMORY_CLIENTS })),
  ...costingTime.map((kind) => ({ kind, count: PROCESSOR_CLIENTS })),
];
for (const [place, { kind, count }] of all.entries())
  for (let n = 0; n < count; n++) void keepConnecting(kind, place, n);
