import { expect, it } from '@jest/globals';

import { SharedExclusiveLock } from '../src/shared-exclusive-lock.js';

/** Work that tells when it begins, and ends when it is told to. */
function working(events: string[], name: string) {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const work = async () => {
    events.push(`${name} begins`);
    await ended;
    events.push(`${name} ends`);
    return name;
  };
  return { work, end };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

it('runs shared work side by side', async () => {
  const events: string[] = [];
  const lock = new SharedExclusiveLock();
  const [a, b] = [working(events, 'a'), working(events, 'b')];
  const both = Promise.all([lock.withShared(a.work), lock.withShared(b.work)]);
  await turn();
  expect(events).toEqual(['a begins', 'b begins']);
  a.end();
  b.end();
  expect(await both).toEqual(['a', 'b']);
});

it('runs exclusive work after all that runs, and before all that comes later', async () => {
  const events: string[] = [];
  const lock = new SharedExclusiveLock();
  const a = working(events, 'a');
  const [b, c, d] = [working(events, 'b'), working(events, 'c'), working(events, 'd')];
  const all = [lock.withShared(a.work), lock.withExclusive(b.work), lock.withShared(c.work), lock.withExclusive(d.work)];
  for (const { end } of [b, c, d]) end();
  await turn();
  expect(events).toEqual(['a begins']);
  a.end();
  await Promise.all(all);
  expect(events.slice(0, 4)).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  for (const name of ['c', 'd']) expect(events.indexOf(`${name} ends`)).toBe(events.indexOf(`${name} begins`) + 1);
});

it('releases the lock when work fails', async () => {
  const lock = new SharedExclusiveLock();
  const failing = () => Promise.reject(new Error('no'));
  await expect(lock.withExclusive(failing)).rejects.toThrow('no');
  await expect(lock.withShared(failing)).rejects.toThrow('no');
  expect(await lock.withExclusive(() => Promise.resolve(1))).toBe(1);
  expect(await lock.withShared(() => Promise.resolve(2))).toBe(2);
});
