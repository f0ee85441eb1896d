import { describe, expect, it } from '@jest/globals';

import { ThroughputEstimator } from '../src/throughput.js';

describe('the throughput estimate', () => {
  it('tells when the waiting tasks will have started', () => {
    const throughput = new ThroughputEstimator();
    for (let i = 0; i < 100; i++) throughput.record(`task ${i}`, 500);
    expect(throughput.retryAfterSeconds({ waiting: 39, slots: 4 })).toBe(5);
    expect(throughput.retryAfterSeconds({ waiting: 0, slots: 4 })).toBe(1);
    expect(throughput.retryAfterSeconds({ waiting: 4000, slots: 1 })).toBe(60);
    expect(throughput.retryAfterSeconds({ waiting: 1, slots: 0 })).toBe(60);
  });

  it('counts a task once, however often its end is polled', () => {
    const throughput = new ThroughputEstimator();
    for (let i = 0; i < 100; i++) throughput.record('slow', 120_000);
    expect(throughput.retryAfterSeconds({ waiting: 1, slots: 1 })).toBeLessThan(20);
  });
});
