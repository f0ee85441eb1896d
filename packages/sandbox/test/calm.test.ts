import { describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { Calm } from '../src/calm.js';
import { AFTERMATH_MS } from '../src/limits.js';

/** Longer than any test may take. */
const FOR_GOOD_MS = 60_000;
/** Timers may come a little early. */
const EARLY_MS = 2;

const never = new AbortController().signal;
const since = (beginMs: number) => performance.now() - beginMs + EARLY_MS;

describe('a calm', () => {
  it('is there if nothing has been done', async () => {
    await new Calm().comes(FOR_GOOD_MS, never);
  });

  it('comes when the last step has ended, and its task has had time to go on', async () => {
    const calm = new Calm();
    const begin = performance.now();
    void calm.during(() => delay(50));
    void calm.during(() => delay(200));
    await calm.comes(FOR_GOOD_MS, never);
    expect(since(begin)).toBeGreaterThan(200 + AFTERMATH_MS);
  });

  it('comes after a step that fails as well, and no sooner', async () => {
    const calm = new Calm();
    const begin = performance.now();
    await expect(calm.during(() => Promise.reject(new Error('no engine')))).rejects.toThrow('no engine');
    await calm.comes(FOR_GOOD_MS, never);
    expect(since(begin)).toBeGreaterThan(AFTERMATH_MS);
  });

  it('is not waited for longer than is said', async () => {
    const calm = new Calm();
    const begin = performance.now();
    void calm.during(() => new Promise<void>(() => undefined));
    await calm.comes(300, never);
    expect(since(begin)).toBeGreaterThan(300);
  });

  it('is not waited for any more after an abort', async () => {
    const calm = new Calm();
    void calm.during(() => new Promise<void>(() => undefined));
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    await calm.comes(FOR_GOOD_MS, controller.signal);
  });
});
