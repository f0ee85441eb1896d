import { describe, expect, it } from '@jest/globals';

import { ReplyQueueBusy } from '@code-widgets/broker';

import { PollThrottle } from '../src/poll-throttle.js';

const { signal } = new AbortController();
const CLIENT = { gone: () => signal, silent: () => signal };

/** Polls at times that the test sets. Time advances during a delay, and each poll ends on demand. */
function clientOf(waitMs = 1000) {
  let now = 0;
  const throttle = new PollThrottle(
    waitMs,
    () => now,
    (ms) => Promise.resolve((now += ms)),
  );
  const poll = (identifier: string) => {
    let end = (): void => undefined;
    let answered: Promise<unknown> = Promise.resolve();
    const waits = new Promise<boolean>((asked) => {
      answered = throttle.run(identifier, CLIENT, (given) => {
        asked(given !== undefined);
        return new Promise<void>((resolve) => (end = resolve));
      });
    });
    return { waits, end: async () => (await waits, end(), await answered) };
  };
  const pollOnce = async (identifier: string) => {
    const { waits, end } = poll(identifier);
    await end();
    return waits;
  };
  /** The delay of a poll in ms. */
  const heldFor = async (identifier: string) => {
    const begin = now;
    await pollOnce(identifier);
    return now - begin;
  };
  return { poll, pollOnce, heldFor, pass: (ms: number) => (now += ms) };
}

describe('a poll', () => {
  it('long-polls', async () => {
    expect(await clientOf().pollOnce('a')).toBe(true);
  });

  it('is delayed until 50 ms after the last answer to its task, and long-polls then', async () => {
    const { pollOnce, heldFor, pass } = clientOf();
    await pollOnce('a');
    pass(10);
    expect(await heldFor('b')).toBe(0);
    expect(await heldFor('a')).toBe(40);
    expect(await pollOnce('a')).toBe(true);
    pass(50);
    expect(await heldFor('a')).toBe(0);
  });

  it('is delayed by 200 ms under load and does not long-poll', async () => {
    const { pollOnce, heldFor, pass } = clientOf();
    for (let i = 0; i < 101; i++) await pollOnce(`task ${i}`);
    pass(10);
    expect(await heldFor('task 0')).toBe(190);
    expect(await pollOnce('task 0')).toBe(false);
    pass(200);
    expect(await heldFor('task 0')).toBe(0);
  });

  it('takes nothing for a client that disconnected during the delay', async () => {
    const gone = new AbortController();
    const throttle = new PollThrottle(
      1000,
      () => 0,
      () => Promise.resolve(gone.abort()),
    );
    let polls = 0;
    const poll = () => throttle.run('a', { ...CLIENT, gone: () => gone.signal }, () => Promise.resolve(polls++));
    await poll();
    await expect(poll()).rejects.toThrow(ReplyQueueBusy);
    expect(polls).toBe(1);
  });

  it('runs after the delay for a client that has closed its sending side', async () => {
    const silent = AbortSignal.abort();
    const throttle = new PollThrottle(
      1000,
      () => 0,
      () => Promise.resolve(),
    );
    for (let i = 0; i < 2; i++) {
      const given = await throttle.run('a', { ...CLIENT, silent: () => silent }, (what) => Promise.resolve(what));
      expect(given?.signal).toBe(silent);
    }
  });

  it('does not long-poll if another poll of its task was answered during the delay', async () => {
    let release = (): void => undefined;
    let now = 0;
    const throttle = new PollThrottle(
      1000,
      () => now++,
      () => new Promise<void>((resolve) => (release = resolve)),
    );
    const waits = (answer = Promise.resolve()) => {
      let given: boolean | undefined;
      return throttle.run('a', CLIENT, (what) => ((given = what !== undefined), answer)).then(() => given);
    };
    let answer = (): void => undefined;
    const waiting = waits(new Promise((resolve) => (answer = resolve)));
    await throttle.run('a', CLIENT, () => Promise.resolve());
    const held = waits();
    answer();
    expect(await waiting).toBe(true);
    release();
    expect(await held).toBe(false);
  });

  it('does not long-poll during another poll of its task', async () => {
    const { poll, pollOnce, pass } = clientOf();
    const first = poll('a');
    expect([await first.waits, await pollOnce('a')]).toEqual([true, false]);
    await first.end();
    pass(100);
    expect(await pollOnce('a')).toBe(true);
  });

  it('does not long-poll beside 32 long polls', async () => {
    const { poll, pollOnce } = clientOf();
    const all = Array.from({ length: 32 }, (_, i) => poll(`task ${i}`));
    expect(await Promise.all(all.map(({ waits }) => waits))).not.toContain(false);
    expect(await pollOnce('one more')).toBe(false);
    await all[0]?.end();
    expect(await pollOnce('another')).toBe(true);
  });

  it('does not long-poll after a hundred polls in the last second', async () => {
    const { pollOnce, pass } = clientOf();
    const waited: boolean[] = [];
    for (let i = 0; i < 101; i++) waited.push(await pollOnce(`task ${i}`));
    expect(waited).toEqual([...Array<boolean>(100).fill(true), false]);
    pass(1000);
    expect(await pollOnce('a moment later')).toBe(false);
    pass(500);
    expect(await pollOnce('later')).toBe(true);
  });

  it('never long-polls while the load lasts', async () => {
    const { pollOnce, pass } = clientOf();
    for (let i = 0; i < 200; i++, pass(5)) await pollOnce(`task ${i}`);
    const waited: boolean[] = [];
    for (let i = 0; i < 1000; i++, pass(5)) waited.push(await pollOnce(`task ${i}`));
    expect(waited).not.toContain(true);
  });

  it('is not delayed and does not long-poll if both are off', async () => {
    const { pollOnce, heldFor } = clientOf(0);
    expect(await pollOnce('a')).toBe(false);
    expect(await heldFor('a')).toBe(0);
  });
});
