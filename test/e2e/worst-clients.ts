/**
 * The worst that clients can send to a widget, of each kind, until stdin is closed. A separate process
 * with low priority, because real clients run on other machines. It ends with an error if a connection
 * is refused, and prints how many connections each kind has used.
 *
 * Arguments: the widget's address, and the identifier of a task with much to read.
 */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { constants, setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import { head, open, posting, writeAll } from '../attacks/lib/clients.js';

const MIB = 1024 * 1024;
/** Of each kind that costs memory: their bodies and answers together are more than a widget may hold. */
const HOARDERS = 10;
/** Of each kind that costs time. */
const HURRIERS = 3;

const [base = '', much = ''] = process.argv.slice(2);
let isOver = false;
/** How many connections each kind has used, by its place in the list. */
const used: number[] = [];

/** As one client of many: its address is what a proxy in front has added. */
const from = (n: number) => `X-Forwarded-For: 192.0.2.${n}`;
const objects = `{"mode":"run","files":[],"z":[${Array(1_000_000).fill('{}').join()}]}`;
const spaces = Buffer.alloc(4 * MIB - 2, ' ');
const bytes = Buffer.from('1\r\n \r\n'.repeat(10_000));

/** Uses one connection for a while. */
type Kind = (socket: Socket, n: number) => Promise<unknown>;

const hoarding: Kind[] = [
  // Answers that are not read.
  async (socket, n) => {
    socket.pause().write(posting('/check_output/', JSON.stringify({ identifier: much, read: 0 }), from(n)).repeat(4));
    await sleep(5000);
  },
  // Bodies that lack their last byte.
  (socket, n) =>
    writeAll(socket, [head('/run_program/', `Content-Length: ${4 * MIB}`, from(n)), spaces], 5000).then(() =>
      sleep(3000),
    ),
];
const hurrying: Kind[] = [
  (socket, n) =>
    writeAll(
      socket,
      [head('/run_program/', 'Transfer-Encoding: chunked', from(n)), ...Array<Buffer>(100).fill(bytes)],
      5000,
    ).then(() => sleep(3000)),
  // Bodies that are whole, and refused.
  (socket, n) => writeAll(socket, [posting('/run_program/', objects, from(n))], 5000).then(() => sleep(2000)),
  (socket, n) => writeAll(socket, [posting('/check_output/', objects, from(n))], 5000).then(() => sleep(2000)),
  // Unknown identifiers.
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
async function goOn(kind: Kind, place: number, n: number): Promise<void> {
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
  ...hoarding.map((kind) => ({ kind, count: HOARDERS })),
  ...hurrying.map((kind) => ({ kind, count: HURRIERS })),
];
for (const [place, { kind, count }] of all.entries()) for (let n = 0; n < count; n++) void goOn(kind, place, n);
