import { describe, expect, it } from '@jest/globals';

import { KeyedMutex } from '../src/keyed-mutex.js';

const queueFull = () => new Error('queue full');

/** Work that counts how much of it runs at a time, per key and in total. */
function countedWork() {
  const now = new Map<string, number>();
  const most = { ofOne: 0, inAll: 0 };
  const work = (key: string) => async () => {
    now.set(key, (now.get(key) ?? 0) + 1);
    most.ofOne = Math.max(most.ofOne, now.get(key) ?? 0);
    most.inAll = Math.max(
      most.inAll,
      [...now.values()].reduce((sum, each) => sum + each, 0),
    );
    await new Promise((resolve) => setTimeout(resolve, 2));
    now.set(key, (now.get(key) ?? 0) - 1);
    return key;
  };
  return { most, work };
}

describe('a keyed mutex', () => {
  it('runs one piece of work at a time per key, and a limited number in total', async () => {
    const mutex = new KeyedMutex(4, 100);
    const { most, work } = countedWork();
    const keys = Array.from({ length: 100 }, (_, i) => `key ${i % 10}`);
    expect(await Promise.all(keys.map((key) => mutex.run(key, work(key), queueFull)))).toEqual(keys);
    expect(most).toEqual({ ofOne: 1, inAll: 4 });
  });

  it('continues after work that failed', async () => {
    const mutex = new KeyedMutex(1, 10);
    const failing = mutex.run('a', () => Promise.reject(new Error('mine')), queueFull);
    const next = mutex.run('a', () => Promise.resolve('done'), queueFull);
    await expect(failing).rejects.toThrow('mine');
    expect(await next).toBe('done');
  });

  it('refuses work if too much waits for its key', async () => {
    const mutex = new KeyedMutex(10, 2);
    const { work } = countedWork();
    const [first, second, third] = ['a', 'a', 'a'].map((key) => mutex.run(key, work(key), queueFull));
    await expect(third).rejects.toThrow('queue full');
    await Promise.all([first, second]);
    expect(await mutex.run('a', work('a'), queueFull)).toBe('a');
  });
});
