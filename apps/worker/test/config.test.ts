import { describe, expect, it } from '@jest/globals';

import { MAX_CONCURRENCY, readConfig } from '../src/config.js';

describe('CONCURRENCY', () => {
  it('may be as large as the memory budget allows, and the error for more says to run more workers', () => {
    expect(readConfig({ CONCURRENCY: String(MAX_CONCURRENCY) }).CONCURRENCY).toBe(MAX_CONCURRENCY);
    expect(() => readConfig({ CONCURRENCY: String(MAX_CONCURRENCY + 1) })).toThrow(
      /CONCURRENCY must be <= \d+ .*run more workers/,
    );
  });
});
