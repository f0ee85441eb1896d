import { describe, expect, it } from '@jest/globals';

import { end, NOTICE, output, PENDING, Queue } from './polled-queue.js';

describe("a `read` larger than the task's output", () => {
  it('confirms nothing: each such poll shows every item', () => {
    const queue = new Queue().push(output(1, 1, 'a'), output(1, 2, 'b', 'c'));
    for (const read of [4, 1000, Number.MAX_SAFE_INTEGER, 1e308]) {
      expect(queue.poll(read)).toEqual({ ...PENDING, output: ['a', 'b', 'c'] });
    }
    expect(queue.poll(1).output).toEqual(['b', 'c']);
    expect(queue.poll(3).output).toEqual([]);
  });

  it('does not restore items that were confirmed before', () => {
    const queue = new Queue().push(output(1, 1, 'a'), output(1, 2, 'b'));
    queue.poll(1);
    expect(queue.poll(1000).output).toEqual(['b']);
    expect(queue.poll(1).output).toEqual(['b']);
  });

  it('confirms nothing after completion, with only the final message left', () => {
    const queue = new Queue().push(output(1, 1, 'a', 'b'), end(1, 2, 3));
    expect(queue.poll(3)).toEqual({ output: ['a', 'b'], completed: true, status: 3, message: 'SUCCESS' });
    expect(queue.poll(2).output).toEqual([]);
    expect(queue.poll(3)).toEqual({ output: [], completed: true, status: 3, message: 'SUCCESS' });
    expect(queue.messages).toEqual([end(1, 2, 3)]);
  });

  it('is not recognized in an empty queue, and does not affect later output', () => {
    const queue = new Queue();
    expect(queue.poll(1000)).toEqual({ ...PENDING, output: [] });
    queue.push(output(1, 1, 'a'));
    expect(queue.poll(1000).output).toEqual(['a']);
    expect(queue.poll(0).output).toEqual(['a']);
  });

  it('shows a new attempt after the notice, without recording where it starts', () => {
    const queue = new Queue().push(output(1, 1, 'a', 'b'));
    queue.poll(0);
    queue.push(output(2, 1, 'A'), output(2, 2, 'B'), end(2, 2));
    const before = [...queue.messages];
    expect(queue.poll(3).output).toEqual([NOTICE, 'A', 'B']);
    expect(queue.messages).toEqual(before);
    expect(queue.poll(2).output).toEqual([NOTICE, 'A', 'B']);
    expect(queue.poll(3).output).toEqual(['A', 'B']);
    expect(queue.poll(6).output).toEqual([NOTICE, 'A', 'B']);
    expect(queue.poll(5).output).toEqual([]);
  });

  it('loses nothing of a new attempt if no item of the lost one is left', () => {
    const queue = new Queue().push(output(2, 1, 'A'));
    for (const read of [1e308, 1000, 0, 2, 1000, 1e308]) expect(queue.poll(read).output).toEqual([NOTICE, 'A']);
  });

  it('is compared with the items of all attempts', () => {
    const queue = new Queue().push(output(1, 1, 'a', 'b', 'c'));
    queue.poll(0);
    queue.push(output(2, 1, 'A'));
    expect(queue.poll(3).output).toEqual([NOTICE, 'A']);
    queue.push(output(2, 2, 'B'));
    expect(queue.poll(7).output).toEqual([NOTICE, 'A', 'B']);
    expect(queue.poll(6).output).toEqual([]);
  });
});
