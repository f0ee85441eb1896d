import { describe, expect, it } from '@jest/globals';

import { MAX_CONCURRENCY, readConfig } from '../src/config.js';

describe('CONCURRENCY', () => {
  it('is limited by the memory budget, and the error suggests more workers', () => {
    expect(readConfig({ CONCURRENCY: String(MAX_CONCURRENCY) }).CONCURRENCY).toBe(MAX_CONCURRENCY);
    expect(() => readConfig({ CONCURRENCY: String(MAX_CONCURRENCY + 1) })).toThrow(
      /CONCURRENCY must be <= \d+ .*run more workers/,
    );
  });
});
