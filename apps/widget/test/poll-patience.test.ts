import { setImmediate } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';

import { PollPatience } from '../src/poll-patience.js';

const { signal } = new AbortController();

/** Polls at times that a test sets; each is over when it is told to be. */
function clientOf(waitMs = 1000) {
  let now = 0;
  const patience = new PollPatience(waitMs, () => now);
  const poll = async (identifier: string) => {
    let waits = false;
    let end = (): void => undefined;
    const answered = patience.take(identifier, () => signal, (given) => {
      waits = given !== undefined;
      return new Promise<void>((resolve) => (end = resolve));
    });
    await setImmediate();
    return { waits, end: () => (end(), answered) };
  };
  const pollOnce = async (identifier: string) => {
    const { waits, end } = await poll(identifier);
    await end();
    return waits;
  };
  return { poll, pollOnce, pass: (ms: number) => (now += ms) };
}

describe('a poll', () => {
  it('waits if another of its task has not waited just before', async () => {
    const { pollOnce, pass } = clientOf();
    expect(await pollOnce('a')).toBe(true);
    pass(49);
    expect(await pollOnce('a')).toBe(false);
    expect(await pollOnce('b')).toBe(true);
    pass(1);
    expect(await pollOnce('a')).toBe(true);
  });

  it('does not wait beside another of its task', async () => {
    const { poll, pollOnce, pass } = clientOf();
    const first = await poll('a');
    expect([first.waits, await pollOnce('a')]).toEqual([true, false]);
    await first.end();
    pass(100);
    expect(await pollOnce('a')).toBe(true);
  });

  it('does not wait where 32 do', async () => {
    const { poll, pollOnce } = clientOf();
    const all = await Promise.all(Array.from({ length: 32 }, (_, i) => poll(`task ${i}`)));
    expect(all.every(({ waits }) => waits)).toBe(true);
    expect(await pollOnce('one more')).toBe(false);
    await all[0]?.end();
    expect(await pollOnce('another')).toBe(true);
  });

  it('does not wait behind a hundred in the last second', async () => {
    const { pollOnce, pass } = clientOf();
    const waited: boolean[] = [];
    for (let i = 0; i < 101; i++) waited.push(await pollOnce(`task ${i}`));
    expect(waited).toEqual([...Array<boolean>(100).fill(true), false]);
    pass(1000);
    expect(await pollOnce('a moment later')).toBe(false);
    pass(500);
    expect(await pollOnce('later')).toBe(true);
  });

  it('does not wait in a crowd that stays, in no second of it', async () => {
    const { pollOnce, pass } = clientOf();
    for (let i = 0; i < 200; i++, pass(5)) await pollOnce(`task ${i}`);
    const waited: boolean[] = [];
    for (let i = 0; i < 1000; i++, pass(5)) waited.push(await pollOnce(`task ${i}`));
    expect(waited).not.toContain(true);
  });

  it('does not wait at all where nobody is to', async () => {
    expect(await clientOf(0).pollOnce('a')).toBe(false);
  });
});
