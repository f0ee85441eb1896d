import { expect, it } from '@jest/globals';

import { Company } from '../src/company.js';

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

it('lets those who join work side by side', async () => {
  const events: string[] = [];
  const company = new Company();
  const [a, b] = [working(events, 'a'), working(events, 'b')];
  const both = Promise.all([company.join(a.work), company.join(b.work)]);
  await turn();
  expect(events).toEqual(['a begins', 'b begins']);
  a.end();
  b.end();
  expect(await both).toEqual(['a', 'b']);
});

it('has whoever leaves wait for the others, and later ones for him', async () => {
  const events: string[] = [];
  const company = new Company();
  const a = working(events, 'a');
  const [b, c, d] = [working(events, 'b'), working(events, 'c'), working(events, 'd')];
  const all = [company.join(a.work), company.leave(b.work), company.join(c.work), company.leave(d.work)];
  for (const { end } of [b, c, d]) end();
  await turn();
  expect(events).toEqual(['a begins']);
  a.end();
  await Promise.all(all);
  expect(events.slice(0, 4)).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  for (const name of ['c', 'd']) expect(events.indexOf(`${name} ends`)).toBe(events.indexOf(`${name} begins`) + 1);
});

it('goes on after work that fails', async () => {
  const company = new Company();
  const failing = () => Promise.reject(new Error('no'));
  await expect(company.leave(failing)).rejects.toThrow('no');
  await expect(company.join(failing)).rejects.toThrow('no');
  expect(await company.leave(() => Promise.resolve(1))).toBe(1);
  expect(await company.join(() => Promise.resolve(2))).toBe(2);
});
