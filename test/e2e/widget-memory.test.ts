/**
 * A widget's memory under all kinds of expensive requests at once, while another client runs programs.
 * docs/operations.md contains the calculation behind the limit.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { submit, text as textOf } from '../helpers/client.js';
import { deploy, type Deployment } from '../helpers/deployment.js';
import { eventually } from '../helpers/eventually.js';
import { c, GREETING, HELLO, lab, outcome } from '../helpers/programs.js';

const MIB = 1024 * 1024;
const ATTACK_MS = 15_000;
/** Number of another client's programs, whose median counts. */
const PROGRAMS = 7;

/** The widget's memory limit in the compose file. */
const limitBytes = () => {
  const widget = /^ {2}widget:\n(?: {4}.*\n)*/m.exec(
    readFileSync(new URL('../../compose.yaml', import.meta.url), 'utf8'),
  )?.[0];
  return MIB * Number(/mem_limit: (\d+)m/.exec(widget ?? '')?.[1]);
};
const peakBytes = ({ pid }: ChildProcess) =>
  1024 * Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

let service: Deployment;
let widget: ChildProcess;
/** A task that has ended with the maximum amount of output. */
let much: string;

beforeAll(async () => {
  service = await deploy({ widgets: 1, workers: 1, env: { TRUSTED_PROXIES: '1' } });
  widget = service.widgets[0]?.process as ChildProcess;
  const flood = c('  static char b[20000]; for (int i = 0; i < 20000; i++) b[i] = 1; write(1, b, sizeof b); return 0;');
  const cases = lab(Array.from({ length: 50 }, () => ['', 'x'] as [string, string]));
  much = await submit(service.base, {
    mode: 'submit',
    files: [flood, cases, { basename: 'cli.txt', contents: '\u0001'.repeat(49_999) }],
  });
  const hasEnded = () => service.log().some((line) => line.identifier === much && line.outcome === 'success');
  await eventually('the task with much to read has ended', hasEnded, { limitMs: 60_000, everyMs: 200 });
}, 90_000);
afterAll(() => service.end(), 60_000);

/** Median time in ms of hello world with new sources, from submission to the final poll. */
async function timeOfHello(): Promise<number> {
  const times: number[] = [];
  while (times.length < PROGRAMS) {
    const begin = performance.now();
    await runHello();
    times.push(performance.now() - begin);
  }
  return times.sort((one, other) => one - other)[(PROGRAMS - 1) / 2] as number;
}

/** Runs a new program to its end; its build is in no cache. */
async function runHello(): Promise<void> {
  const headers = { 'content-type': 'application/json', 'x-forwarded-for': '198.51.100.1' };
  const ask = async (path: string, body: unknown) =>
    (await fetch(service.base + path, { method: 'POST', headers, body: JSON.stringify(body) })).json();
  const files = [{ ...HELLO, contents: `${HELLO.contents}-- ${randomUUID()}\n` }];
  const { identifier } = (await ask('/run_program/', { mode: 'run', files })) as { identifier: string };
  const output = [];
  for (;;) {
    const answer = (await ask('/check_output/', { identifier, read: output.length })) as Parameters<
      typeof outcome
    >[0] & { completed: boolean };
    output.push(...(answer.output ?? []));
    if (!answer.completed) {
      await sleep(50);
      continue;
    }
    const result = { ...answer, output };
    expect(outcome(result)).toEqual(GREETING);
    expect(textOf(result, 'stdout')).toContain('hello');
    return;
  }
}

describe('a widget under the most expensive requests of all kinds', () => {
  let peak: number;
  let before: number;
  let during: number;
  /** Number of connections of each kind of client. */
  let used: number[];

  beforeAll(async () => {
    before = await timeOfHello();
    // Resets the peak memory count.
    writeFileSync(`/proc/${widget.pid}/clear_refs`, '5');
    const { base } = service.widgets[0] as { base: string };
    const clients = spawn(
      process.execPath,
      ['--import', 'tsx', '--conditions=source', join(import.meta.dirname, 'worst-clients.ts'), base, much],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    try {
      const begin = performance.now();
      await sleep(2000);
      during = await timeOfHello();
      await sleep(Math.max(0, ATTACK_MS - (performance.now() - begin)));
      clients.stdin.end();
      used = JSON.parse(await text(clients.stdout)) as number[];
    } finally {
      clients.kill();
    }
    peak = peakBytes(widget);
  }, 120_000);

  it('received each kind several times', () => {
    expect(used).toHaveLength(6);
    expect(Math.min(...used)).toBeGreaterThan(3);
  });

  it('stays below the memory limit of the compose file', () => {
    expect(peak).toBeLessThan(limitBytes());
  });

  it("at most doubles the time of another client's hello world", () => {
    expect(during / before).toBeLessThan(2);
  });

  it('logs no error and does not restart', () => {
    expect(service.log().filter(({ level }) => Number(level) >= 50)).toEqual([]);
    expect(widget.exitCode).toBeNull();
  });
});
