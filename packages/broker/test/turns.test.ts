import { describe, expect, it } from '@jest/globals';

import { Turns } from '../src/turns.js';

const tooLong = () => new Error('too long');

/** Work that notes how many are at it, of its key and in all. */
function crowd() {
  const now = new Map<string, number>();
  const most = { ofOne: 0, inAll: 0 };
  const work = (key: string) => async () => {
    now.set(key, (now.get(key) ?? 0) + 1);
    most.ofOne = Math.max(most.ofOne, now.get(key) ?? 0);
    most.inAll = Math.max(most.inAll, [...now.values()].reduce((sum, each) => sum + each, 0));
    await new Promise((resolve) => setTimeout(resolve, 2));
    now.set(key, (now.get(key) ?? 0) - 1);
    return key;
  };
  return { most, work };
}

describe('turns', () => {
  it('are one at a time for a key, and bounded in all', async () => {
    const turns = new Turns(4, 100);
    const { most, work } = crowd();
    const keys = Array.from({ length: 100 }, (_, i) => `key ${i % 10}`);
    expect(await Promise.all(keys.map((key) => turns.take(key, work(key), tooLong)))).toEqual(keys);
    expect(most).toEqual({ ofOne: 1, inAll: 4 });
  });

  it('go on after one that failed', async () => {
    const turns = new Turns(1, 10);
    const failing = turns.take('a', () => Promise.reject(new Error('mine')), tooLong);
    const next = turns.take('a', () => Promise.resolve('done'), tooLong);
    await expect(failing).rejects.toThrow('mine');
    expect(await next).toBe('done');
  });

  it('are refused where the line is too long, and given again when it is not', async () => {
    const turns = new Turns(10, 2);
    const { work } = crowd();
    const [first, second, third] = ['a', 'a', 'a'].map((key) => turns.take(key, work(key), tooLong));
    await expect(third).rejects.toThrow('too long');
    await Promise.all([first, second]);
    expect(await turns.take('a', work('a'), tooLong)).toBe('a');
  });
});
