import { describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { IdleGate } from '../src/idle-gate.js';
import { AFTERMATH_MS } from '../src/limits.js';

/** Longer than any test may take. */
const NEVER_MS = 60_000;
/** Timers may fire a little early. */
const EARLY_MS = 2;

const never = new AbortController().signal;
const since = (beginMs: number) => performance.now() - beginMs + EARLY_MS;

describe('an idle gate', () => {
  it('is open if no step has run', async () => {
    await new IdleGate().untilIdle(NEVER_MS, never);
  });

  it('opens some time after the end of the last step', async () => {
    const idle = new IdleGate();
    const begin = performance.now();
    void idle.during(() => delay(50));
    void idle.during(() => delay(200));
    await idle.untilIdle(NEVER_MS, never);
    expect(since(begin)).toBeGreaterThan(200 + AFTERMATH_MS);
  });

  it('opens after a step that fails', async () => {
    const idle = new IdleGate();
    const begin = performance.now();
    await expect(idle.during(() => Promise.reject(new Error('no engine')))).rejects.toThrow('no engine');
    await idle.untilIdle(NEVER_MS, never);
    expect(since(begin)).toBeGreaterThan(AFTERMATH_MS);
  });

  it('opens after the timeout', async () => {
    const idle = new IdleGate();
    const begin = performance.now();
    void idle.during(() => new Promise<void>(() => undefined));
    await idle.untilIdle(300, never);
    expect(since(begin)).toBeGreaterThan(300);
  });

  it('opens when the signal is aborted', async () => {
    const idle = new IdleGate();
    void idle.during(() => new Promise<void>(() => undefined));
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    await idle.untilIdle(NEVER_MS, controller.signal);
  });
});
