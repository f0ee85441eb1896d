/**
 * A widget's memory under the worst of each kind at once, from many clients, while another client's
 * programs run to their right end. docs/operations.md has the sum that this holds it to.
 */
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { head, open, posting, writeAll } from '../attacks/lib/clients.js';
import { submit, text } from '../helpers/client.js';
import { deploy, type Deployment } from '../helpers/deployment.js';
import { c, GREETING, HELLO, lab, outcome } from '../helpers/programs.js';

const MIB = 1024 * 1024;
const ATTACK_MS = 15_000;
/** Of each kind that costs memory: their bodies and answers together are more than a widget may hold. */
const HOARDERS = 10;
/** Of each kind that costs time, which the machine's two cores also spend on the attackers themselves. */
const HURRIERS = 3;
/** Another client's programs. */
const PROGRAMS = 5;

/** What the compose file gives a widget. */
const limitBytes = () => {
  const widget = /^ {2}widget:\n(?: {4}.*\n)*/m.exec(readFileSync(new URL('../../compose.yaml', import.meta.url), 'utf8'))?.[0];
  return MIB * Number(/mem_limit: (\d+)m/.exec(widget ?? '')?.[1]);
};
const peakBytes = ({ pid }: ChildProcess) => 1024 * Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

let service: Deployment;
let widget: ChildProcess;
/** A task that has ended with as much to read as there can be. */
let much: string;

beforeAll(async () => {
  service = await deploy({ widgets: 1, workers: 1, env: { TRUSTED_PROXIES: '1' } });
  widget = service.widgets[0]?.process as ChildProcess;
  const flood = c('  static char b[20000]; for (int i = 0; i < 20000; i++) b[i] = 1; write(1, b, sizeof b); return 0;');
  const cases = lab(Array.from({ length: 50 }, () => ['', 'x'] as [string, string]));
  much = await submit(service.base, { mode: 'submit', files: [flood, cases, { basename: 'cli.txt', contents: '\u0001'.repeat(49_999) }] });
  for (const deadline = Date.now() + 60_000; !service.log().some((line) => line.identifier === much && line.outcome === 'success'); await sleep(200)) {
    if (Date.now() > deadline) throw new Error('the task does not end');
  }
}, 90_000);
afterAll(() => service.end(), 60_000);

/** As one client of many: its address is what a proxy in front has added. */
const from = (n: number) => `X-Forwarded-For: 192.0.2.${n}`;

/** Hello world, sent and polled to the end; it is in no cache. */
async function runHello(): Promise<void> {
  const headers = { 'content-type': 'application/json', 'x-forwarded-for': '198.51.100.1' };
  const ask = async (path: string, body: unknown) => (await fetch(service.base + path, { method: 'POST', headers, body: JSON.stringify(body) })).json();
  const files = [{ ...HELLO, contents: `${HELLO.contents}-- ${randomUUID()}\n` }];
  const { identifier } = (await ask('/run_program/', { mode: 'run', files })) as { identifier: string };
  const output = [];
  for (;;) {
    const answer = (await ask('/check_output/', { identifier, read: output.length })) as Parameters<typeof outcome>[0] & { completed: boolean };
    output.push(...(answer.output ?? []));
    if (!answer.completed) {
      await sleep(50);
      continue;
    }
    const result = { ...answer, output };
    expect(outcome(result)).toEqual(GREETING);
    expect(text(result, 'stdout')).toContain('hello');
    return;
  }
}

/** Attackers of each kind until the signal; each opens a connection, uses it for a while, and opens the next. */
function attack(signal: AbortSignal): Promise<unknown> {
  const { base } = service.widgets[0] as { base: string };
  const objects = `{"mode":"run","files":[],"z":[${Array(1_000_000).fill('{}').join()}]}`;
  const spaces = Buffer.alloc(4 * MIB - 2, ' ');
  const bytes = Buffer.from('1\r\n \r\n'.repeat(10_000));
  type Kind = (socket: Socket, n: number) => Promise<unknown>;
  const hoarding: Kind[] = [
    // Answers that are not read.
    async (socket, n) => {
      socket.pause().write(posting('/check_output/', JSON.stringify({ identifier: much, read: 0 }), from(n)).repeat(4));
      await sleep(5000);
    },
    // Bodies that lack their last byte.
    (socket, n) => writeAll(socket, [head('/run_program/', `Content-Length: ${4 * MIB}`, from(n)), spaces], 5000).then(() => sleep(3000)),
  ];
  const hurrying: Kind[] = [
    (socket, n) => writeAll(socket, [head('/run_program/', 'Transfer-Encoding: chunked', from(n)), ...Array<Buffer>(100).fill(bytes)], 5000).then(() => sleep(3000)),
    // Bodies that are whole, and refused.
    (socket, n) => writeAll(socket, [posting('/run_program/', objects, from(n))], 5000).then(() => sleep(2000)),
    (socket, n) => writeAll(socket, [posting('/check_output/', objects, from(n))], 5000).then(() => sleep(2000)),
    // Unknown identifiers.
    async (socket, n) => {
      socket.resume();
      await writeAll(socket, Array.from({ length: 100 }, () => posting('/check_output/', JSON.stringify({ identifier: randomUUID() }), from(n))), 5000);
      await sleep(3000);
    },
  ];
  const goOn = async (kind: Kind, n: number) => {
    while (!signal.aborted) {
      const socket = await open(base).catch(() => undefined);
      if (socket) await kind(socket, n);
      socket?.destroy();
    }
  };
  const start = (kinds: Kind[], count: number) => kinds.flatMap((kind) => Array.from({ length: count }, (_, n) => goOn(kind, n)));
  return Promise.all([...start(hoarding, HOARDERS), ...start(hurrying, HURRIERS)]);
}

describe('a widget that is sent the worst of each kind at once', () => {
  let peak: number;

  beforeAll(async () => {
    // From now on the peak is counted anew.
    writeFileSync(`/proc/${widget.pid}/clear_refs`, '5');
    const over = new AbortController();
    const attacking = attack(over.signal);
    await sleep(1000);
    const begin = performance.now();
    for (let i = 0; i < PROGRAMS; i++) await runHello();
    await sleep(Math.max(0, ATTACK_MS - (performance.now() - begin)));
    over.abort();
    await attacking;
    peak = peakBytes(widget);
  }, 120_000);

  it('stays under the memory limit of the compose file', () => {
    expect(peak).toBeLessThan(limitBytes());
  });

  it('logs no error, and is the process that was started', () => {
    expect(service.log().filter(({ level }) => Number(level) >= 50)).toEqual([]);
    expect(widget.exitCode).toBeNull();
  });
});
