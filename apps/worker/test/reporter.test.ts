import { describe, expect, it } from '@jest/globals';
import type { FinalMessage, LabVerdict, OutputMessage, ReplyMessage } from '@code-widgets/protocol';

import { ORDERED_ITEMS, Reporter } from '../src/reporter.js';

const END = { state: 'SUCCESS', status: 0, workMs: 1 } as const;

/** A reply queue that confirms messages only on demand. */
function slowQueue() {
  const published: ReplyMessage[] = [];
  const confirms: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const publish = (message: ReplyMessage) => {
    published.push(structuredClone(message));
    return new Promise<void>((resolve, reject) => confirms.push({ resolve, reject }));
  };
  /** Waits longer than a reporter collects items. */
  const settle = () => new Promise((resolve) => setTimeout(resolve, 50));
  /** Confirms one message at a time until `finished` settles. */
  async function confirmUntil(finished: Promise<void>): Promise<void> {
    let isFinished = false;
    const end = finished.finally(() => (isFinished = true));
    for (let i = 0; !isFinished; i++) {
      await settle();
      confirms[i]?.resolve();
      await new Promise(setImmediate);
    }
    await end;
  }
  return { published, confirms, publish, settle, confirmUntil };
}
/** Processor time in µs of this process, which does not depend on the load of the machine. */
function processorTime(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
const texts = (message: ReplyMessage | undefined) =>
  (message as OutputMessage).items.map(({ msg }) => msg.data as string);

describe('a reporter', () => {
  it('combines items that arrive within a moment or during a confirm', async () => {
    const queue = slowQueue();
    const reporter = new Reporter(queue, 2, () => undefined);
    reporter.text('console', 'gprbuild');
    expect(queue.published).toEqual([]);
    await queue.settle();
    reporter.text('stdout', 'a\n');
    reporter.text('stdout', 'b\n');
    reporter.text('stderr', 'c\n');
    await queue.settle();
    expect(queue.published.map(texts)).toEqual([['gprbuild']]);
    queue.confirms[0]?.resolve();
    await queue.settle();
    expect(queue.published[1]).toEqual({
      version: 1,
      kind: 'output',
      attempt: 2,
      first: 2,
      items: [{ msg: { type: 'stdout', data: 'a\nb\n' } }, { msg: { type: 'stderr', data: 'c\n' } }],
    });
  });

  it('joins only whole lines of the same stream and lab case', async () => {
    const queue = slowQueue();
    const reporter = new Reporter(queue, 1, () => undefined);
    reporter.text('console', 'first');
    await queue.settle();
    reporter.text('stdout', 'whole\n', '1');
    reporter.text('stdout', 'part', '1');
    reporter.text('stdout', 'next\n', '1');
    reporter.text('stdout', 'other case\n', '2');
    reporter.text('console', 'x\n');
    reporter.text('console', 'y\n');
    queue.confirms[0]?.resolve();
    await queue.settle();
    expect(texts(queue.published[1])).toEqual(['whole\npart', 'next\n', 'other case\n', 'x\n', 'y\n']);
  });

  it('sends the final message after the last item, with the number of items', async () => {
    const queue = slowQueue();
    const reporter = new Reporter(queue, 1, () => undefined);
    reporter.text('console', 'a');
    await queue.settle();
    reporter.text('console', 'b');
    const finished = reporter.finish(END);
    await queue.confirmUntil(finished);
    expect(queue.published.map(({ kind }) => kind)).toEqual(['output', 'output', 'final']);
    expect(queue.published[2] as FinalMessage).toMatchObject({ items: 2, attempt: 1, state: 'SUCCESS' });
  });

  it('reports lost items once, and then neither sends nor finishes', async () => {
    const queue = slowQueue();
    const failures: Error[] = [];
    const reporter = new Reporter(queue, 1, (error) => failures.push(error));
    reporter.text('console', 'a');
    await queue.settle();
    reporter.text('console', 'b');
    queue.confirms[0]?.reject(new Error('gone'));
    await queue.settle();
    reporter.text('console', 'c');
    await expect(reporter.finish(END)).rejects.toThrow('gone');
    expect(failures).toHaveLength(1);
    expect(queue.published).toHaveLength(1);
  });

  it('keeps the order of stdout and stderr for any number of pending lines', async () => {
    const queue = slowQueue();
    const reporter = new Reporter(queue, 1, () => undefined);
    for (let i = 0; i < ORDERED_ITEMS; i++) reporter.text(i % 2 === 0 ? 'stdout' : 'stderr', `${i}\n`);
    const finished = reporter.finish(END);
    await queue.confirmUntil(finished);
    const items = queue.published.flatMap((message) => (message.kind === 'output' ? message.items : []));
    expect(items.map(({ msg }) => msg.data)).toEqual(Array.from({ length: ORDERED_ITEMS }, (_, i) => `${i}\n`));
  });

  it('limits the number of items for alternating lines', async () => {
    const queue = slowQueue();
    const reporter = new Reporter(queue, 1, () => undefined);
    for (let i = 0; i < 60_000; i++) reporter.text(i % 2 === 0 ? 'stdout' : 'stderr', `${i}\n`, '1');
    const finished = reporter.finish(END);
    await queue.confirmUntil(finished);
    const items = queue.published.flatMap((message) => (message.kind === 'output' ? message.items : []));
    expect(items.length).toBeLessThan(ORDERED_ITEMS + 300);
    for (const [type, rest] of [
      ['stdout', 0],
      ['stderr', 1],
    ] as const) {
      const shown = items.map(({ msg }) => (msg.type === type ? msg.data : '')).join('');
      expect(shown).toBe(Array.from({ length: 30_000 }, (_, i) => `${2 * i + rest}\n`).join(''));
    }
  }, 20_000);

  it('takes linear time for short lines', async () => {
    const queue = slowQueue();
    const reporter = new Reporter(queue, 1, () => undefined);
    const few = processorTime(() => {
      for (let i = 0; i < 200; i++) {
        const another = new Reporter(slowQueue(), 1, () => undefined);
        for (let k = 0; k < 1000; k++) another.text('stdout', '\n');
      }
    });
    const many = processorTime(() => {
      for (let i = 0; i < 200_000; i++) reporter.text('stdout', '\n');
    });
    // The same number of lines in total, so the time is similar unless each line costs more than the previous.
    expect(many / few).toBeLessThan(4);
    const finished = reporter.finish(END);
    await queue.confirmUntil(finished);
    expect(queue.published.flatMap((message) => (message.kind === 'output' ? texts(message) : [])).join('')).toBe(
      '\n'.repeat(200_000),
    );
  });

  it('limits the size of messages and items', async () => {
    const queue = slowQueue();
    const reporter = new Reporter(queue, 1, () => undefined);
    const line = `${'x'.repeat(999)}\n`;
    for (let i = 0; i < 1000; i++) reporter.text('stdout', line);
    const finished = reporter.finish(END);
    await queue.confirmUntil(finished);
    const outputs = queue.published.filter((message) => message.kind === 'output');
    expect(outputs.flatMap(texts).join('')).toBe(line.repeat(1000));
    expect(Math.max(...outputs.flatMap(texts).map((data) => data.length))).toBeLessThanOrEqual(64 * 1024);
    expect(Math.max(...outputs.map((message) => JSON.stringify(message).length))).toBeLessThan(400 * 1024);
  });

  it('limits the size of messages whose characters take six bytes in JSON', async () => {
    const queue = slowQueue();
    const reporter = new Reporter(queue, 1, () => undefined);
    for (let i = 0; i < 16; i++) reporter.text('stdout', '\u0001'.repeat(64 * 1024));
    const finished = reporter.finish(END);
    await queue.confirmUntil(finished);
    const outputs = queue.published.filter((message) => message.kind === 'output');
    expect(outputs.flatMap(texts).join('')).toHaveLength(1024 * 1024);
    expect(Math.max(...outputs.map((message) => JSON.stringify(message).length))).toBeLessThan(700 * 1024);
  });
});

describe('a verdict', () => {
  const failed = (actual: string) => ({ in: null, out: 'x', actual, status: 'Failed' as const });
  async function reported(cases: LabVerdict['cases']): Promise<LabVerdict> {
    const queue = slowQueue();
    const reporter = new Reporter(queue, 1, () => undefined);
    reporter.lab({ success: false, cases });
    await queue.settle();
    return (queue.published[0] as OutputMessage).items[0]?.msg.data as LabVerdict;
  }

  it('is unchanged for outputs of usual size', async () => {
    const cases = Object.fromEntries(
      Array.from({ length: 50 }, (_, i) => [String(i), failed(`${'y'.repeat(5000)} ${i}`)]),
    );
    expect((await reported(cases)).cases).toEqual(cases);
  });

  it('shortens the output of failed cases to 384 KiB of JSON in total', async () => {
    const { cases } = await reported({
      1: failed('first'),
      2: failed('\u0001'.repeat(1024 * 1024)),
      3: failed('last'),
    });
    expect(cases[1]).toEqual(failed('first'));
    expect(cases[2]?.actual).toMatch(/^\u0001{65000,65536}\u2026$/);
    expect(cases[3]?.actual).toBe('\u2026');
  });

  it('contains the complete output of a passed case, which its `out` limits', async () => {
    const passed = { in: null, out: 'y'.repeat(50_000), actual: 'y'.repeat(50_000), status: 'Success' as const };
    expect((await reported({ 1: failed('x'.repeat(400_000)), 2: passed })).cases[2]).toEqual(passed);
  });
});
