import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { end, NOTICE, output, PENDING, Queue } from './polled-queue.js';

describe('a poll with `read`', () => {
  it('answers with new items, and repeats unconfirmed ones', () => {
    const queue = new Queue().push(output(1, 1, 'a'), output(1, 2, 'b', 'c'));
    expect(queue.poll(0)).toEqual({ ...PENDING, output: ['a', 'b', 'c'] });
    expect(queue.poll(0).output).toEqual(['a', 'b', 'c']);
    expect(queue.poll(2).output).toEqual(['c']);
    expect(queue.poll(3).output).toEqual([]);
    expect(queue.messages).toEqual([]);
  });

  it('never repeats a confirmed item', () => {
    const queue = new Queue().push(output(1, 1, 'a'), output(1, 2, 'b'));
    queue.poll(1);
    expect(queue.poll(0).output).toEqual(['b']);
  });

  it('repeats the completion any number of times', () => {
    const queue = new Queue().push(output(1, 1, 'a'), end(1, 1, 3));
    expect(queue.poll(0)).toEqual({ output: ['a'], completed: true, status: 3, message: 'SUCCESS' });
    for (const read of [1, 0, undefined]) {
      expect(queue.poll(read)).toEqual({ output: [], completed: true, status: 3, message: 'SUCCESS' });
    }
  });

  it('leaves unreadable messages to a widget of another version', () => {
    const queue = new Queue().push(undefined, output(1, 1, 'a'), undefined);
    expect(queue.poll(0).output).toEqual(['a']);
    queue.poll(1);
    expect(queue.messages).toEqual([undefined, undefined]);
  });
});

describe('a poll without `read`', () => {
  it('takes every item once', () => {
    const queue = new Queue().push(output(1, 1, 'a'), output(1, 2, 'b'));
    expect(queue.poll().output).toEqual(['a', 'b']);
    expect(queue.poll().output).toEqual([]);
    queue.push(output(1, 3, 'c'), end(1, 3));
    expect(queue.poll()).toMatchObject({ output: ['c'], completed: true });
    expect(queue.poll()).toMatchObject({ output: [], completed: true });
  });
});

describe('a restarted run', () => {
  it('drops the missed output of the lost attempt, and sends a notice about the received part', () => {
    const queue = new Queue().push(output(1, 1, 'a'), output(1, 2, 'lost'));
    queue.poll(0);
    queue.push(output(2, 1, 'A'), output(2, 2, 'B'));
    expect(queue.poll(1).output).toEqual([NOTICE, 'A', 'B']);
    expect(queue.poll(1).output).toEqual([NOTICE, 'A', 'B']);
    expect(queue.poll(2).output).toEqual(['A', 'B']);
    expect(queue.poll(3).output).toEqual(['B']);
    queue.push(end(2, 2));
    expect(queue.poll(4)).toMatchObject({ output: [], completed: true });
  });

  it('sends no notice to a client that had received nothing', () => {
    const queue = new Queue().push(output(1, 1, 'lost'), output(2, 1, 'A'));
    expect(queue.poll(0).output).toEqual(['A']);
    expect(queue.poll(1).output).toEqual([]);
    queue.push(output(2, 2, 'B'), end(2, 2));
    expect(queue.poll(1)).toMatchObject({ output: ['B'], completed: true });
  });

  it('sends one notice to a client without `read` that had taken something', () => {
    const queue = new Queue().push(output(1, 1, 'a'));
    queue.poll();
    queue.push(output(1, 2, 'lost'), output(2, 1, 'A'));
    expect(queue.poll().output).toEqual([NOTICE, 'A']);
    queue.push(output(2, 2, 'B'));
    expect(queue.poll().output).toEqual(['B']);

    const fresh = new Queue().push(output(1, 1, 'lost'), output(2, 1, 'A'));
    expect(fresh.poll().output).toEqual(['A']);
  });

  it('sends the notice to a client without `read` also after a second lost attempt that it never saw', () => {
    const queue = new Queue().push(output(1, 1, 'a'));
    queue.poll();
    queue.push(output(2, 1, 'lost'), output(3, 1, 'A'));
    expect(queue.poll().output).toEqual([NOTICE, 'A']);
  });

  it('may be restarted twice', () => {
    const queue = new Queue().push(output(1, 1, 'a'));
    queue.poll(0);
    queue.push(output(2, 1, 'b'));
    expect(queue.poll(1).output).toEqual([NOTICE, 'b']);
    queue.push(output(3, 1, 'c'), end(3, 1, 7));
    expect(queue.poll(3)).toMatchObject({ output: [NOTICE, 'c'], completed: true, status: 7 });
    expect(queue.poll(5)).toMatchObject({ output: [], completed: true, status: 7 });
  });

  it('changes nothing after a final message', () => {
    const queue = new Queue().push(output(1, 1, 'a'), end(1, 1, 3), output(2, 1, 'A'), end(2, 1, 4));
    expect(queue.poll(0)).toEqual({ output: ['a'], completed: true, status: 3, message: 'SUCCESS' });
    expect(queue.poll(1)).toMatchObject({ output: [], completed: true, status: 3 });
  });
});

describe('with lost answers and lost attempts', () => {
  it('a client sees each attempt completely and in order, or cut off by a notice', () => {
    const event = fc.oneof(
      { weight: 4, arbitrary: fc.constant('publish' as const) },
      { weight: 4, arbitrary: fc.constant('poll' as const) },
      { weight: 2, arbitrary: fc.constant('lost answer' as const) },
      { weight: 1, arbitrary: fc.constant('worker dies' as const) },
      { weight: 1, arbitrary: fc.constant('impossible read' as const) },
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const queue = new Queue();
        let [attempt, items, total] = [1, 0, 0];
        // The newest attempt with an item in the queue, and the attempt of the last poll.
        let [heard, shown] = [1, 1];
        const seen: string[] = [];
        for (const each of events) {
          if (each === 'publish') {
            queue.push(output(attempt, ++items, `${attempt}:${items}`));
            [heard, total] = [attempt, total + 1];
          } else if (each === 'worker dies') {
            [attempt, items] = [attempt + 1, 0];
          } else if (each === 'impossible read') {
            // The queue cannot recognize it without an item of the attempt shown last.
            const isTold = queue.messages.some((message) => message?.kind === 'output' && message.attempt === shown);
            const before = [...queue.messages];
            if (isTold) queue.poll(total + attempt);
            expect(queue.messages).toEqual(before);
          } else {
            const answer = queue.poll(seen.length);
            if (each === 'poll') seen.push(...answer.output);
            shown = heard;
          }
        }
        queue.push(end(attempt, items));
        seen.push(...queue.poll(seen.length).output);

        let expected = [1, 1];
        for (const data of seen) {
          if (data.includes('started again')) expected = [0, 0];
          else {
            const [of, number] = data.split(':').map(Number) as [number, number];
            if (expected[0] === 0 || (expected[1] === 1 && of > (expected[0] as number))) expected = [of, 1];
            expect([of, number]).toEqual(expected);
            expected = [of, number + 1];
          }
        }
        const last = Array.from({ length: items }, (_, i) => `${attempt}:${i + 1}`);
        expect(seen.slice(seen.length - items)).toEqual(last);
        expect(queue.poll(seen.length).output).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
