import { afterAll, describe, expect, it } from '@jest/globals';
import type { Reply } from '@code-widgets/broker';
import fc from 'fast-check';

import { appWith, closeApps, post, repliesOf } from './app-with.js';
import { end, NOTICE, output, PENDING, Queue } from './polled-queue.js';

afterAll(closeApps);

const outline = (attempt: number, first: number, count: number): Reply => ({ kind: 'outline', attempt, first, count });

describe('an answer with a size limit', () => {
  it('contains whole messages up to the limit, and the end with the last one', () => {
    const queue = new Queue(3).push(output(1, 1, 'a', 'b'), output(1, 3, 'c', 'd'), output(1, 5, 'e'), end(1, 5, 7));
    expect(queue.poll(0)).toEqual({ ...PENDING, output: ['a', 'b'] });
    expect(queue.poll(2)).toEqual({ output: ['c', 'd', 'e'], completed: true, status: 7, message: 'SUCCESS' });
    expect(queue.poll(5)).toEqual({ output: [], completed: true, status: 7, message: 'SUCCESS' });
  });

  it('contains the rest of a partly received message', () => {
    const queue = new Queue(2).push(output(1, 1, 'a', 'b'), output(1, 3, 'c', 'd'), end(1, 4));
    expect(queue.poll(1)).toEqual({ ...PENDING, output: ['b'] });
    expect(queue.poll(2)).toMatchObject({ output: ['c', 'd'], completed: true });
  });

  it('contains at least one message of any size', () => {
    const queue = new Queue(1).push(output(1, 1, 'a', 'b', 'c'), output(1, 4, 'd'), end(1, 4));
    expect(queue.poll(0)).toEqual({ ...PENDING, output: ['a', 'b', 'c'] });
    expect(queue.poll(3)).toMatchObject({ output: ['d'], completed: true });
  });

  it('leaves the rest in the queue for a client without `read`', () => {
    const queue = new Queue(2).push(output(1, 1, 'a', 'b'), output(1, 3, 'c'), end(1, 3));
    expect(queue.poll()).toEqual({ ...PENDING, output: ['a', 'b'] });
    expect(queue.poll()).toMatchObject({ output: ['c'], completed: true });
    expect(queue.poll()).toMatchObject({ output: [], completed: true });
  });

  it('contains the restart notice once, before the new attempt', () => {
    const queue = new Queue(1).push(output(1, 1, 'a'));
    queue.poll();
    queue.push(output(2, 1, 'A'), output(2, 2, 'B'), end(2, 2));
    expect(queue.poll()).toEqual({ ...PENDING, output: [NOTICE, 'A'] });
    expect(queue.poll()).toMatchObject({ output: ['B'], completed: true });
  });

  it('ends before a message without its content, and is not empty for a long poll', () => {
    const queue = new Queue().push(output(1, 1, 'a'), outline(1, 2, 3), output(1, 5, 'e'), end(1, 5));
    expect(queue.poll(0)).toEqual({ ...PENDING, output: ['a'] });
    queue.messages = [outline(1, 2, 3), end(1, 4)];
    expect(queue.poll(1)).toEqual({ ...PENDING, output: [] });
    expect(queue.poll(4)).toMatchObject({ output: [], completed: true });
    expect(queue.messages).toEqual([end(1, 4)]);
  });

  it('contains a failure at once', () => {
    const queue = new Queue(1).push(output(1, 1, 'a'), output(1, 2, 'b'), { ...end(1, 2), state: 'FAILURE' });
    expect(queue.poll(0)).toMatchObject({ completed: true, message: 'FAILURE' });
  });

  it('leads to the same total output for any limit, with and without `read`', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        (counts, limit, sendsRead) => {
          const queue = new Queue(limit);
          let items = 0;
          for (const count of counts) {
            queue.push(output(1, items + 1, ...Array.from({ length: count }, () => String(++items))));
          }
          queue.push(end(1, items));
          const seen: string[] = [];
          for (;;) {
            const answer = queue.poll(sendsRead ? seen.length : undefined);
            seen.push(...answer.output);
            if (answer.completed) break;
            expect(answer.output.length).toBeGreaterThan(0);
            expect(answer.output.length).toBeLessThanOrEqual(Math.max(limit, 5));
          }
          expect(seen).toEqual(Array.from({ length: items }, (_, i) => String(i + 1)));
        },
      ),
    );
  });
});

it('check_output answers with at most about 1.5 MiB, and the next answer continues', async () => {
  const line = `${'x'.repeat(500_000)}\n`;
  const messages = [1, 2, 3, 4, 5].map((first) => output(1, first, line));
  const { app } = await appWith({ replies: repliesOf([...messages, end(1, 5)]) });
  const answers = [];
  for (const read of [0, 3])
    answers.push(await post(app, '/check_output/', { identifier: '11111111-2222-4333-8444-555555555555', read }));
  expect(
    answers
      .map((answer) => answer.json<{ output: object[]; completed: boolean }>())
      .map(({ output: { length }, completed }) => [length, completed]),
  ).toEqual([
    [3, false],
    [2, true],
  ]);
});
