import { describe, expect, it } from '@jest/globals';

import { Pace } from '../src/pace.js';

describe('the pace', () => {
  it('says when those that wait now will have been taken', () => {
    const pace = new Pace();
    for (let i = 0; i < 100; i++) pace.record(`task ${i}`, 500);
    expect(pace.retryAfterSeconds({ waiting: 39, slots: 4 })).toBe(5);
    expect(pace.retryAfterSeconds({ waiting: 0, slots: 4 })).toBe(1);
    expect(pace.retryAfterSeconds({ waiting: 4000, slots: 1 })).toBe(60);
    expect(pace.retryAfterSeconds({ waiting: 1, slots: 0 })).toBe(60);
  });

  it('counts a task once, however often its end is polled', () => {
    const pace = new Pace();
    for (let i = 0; i < 100; i++) pace.record('slow', 120_000);
    expect(pace.retryAfterSeconds({ waiting: 1, slots: 1 })).toBeLessThan(20);
  });
});
