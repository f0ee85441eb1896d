import { describe, expect, it } from '@jest/globals';

import { attemptOf } from '../src/attempt-history.js';

describe('the attempt of a task', () => {
  it.each([
    [undefined, 1],
    [{}, 1],
    [{ 'x-delivery-count': 1 }, 2],
    [{ 'x-acquired-count': 2, 'x-delivery-count': 0 }, 3],
    [{ 'x-delivery-count': 'many' }, 1],
    [{ 'x-delivery-count': -1 }, 1],
    [{ 'x-delivery-count': 0.5 }, 1],
  ])('with the headers %j is %i', (headers, attempt) => {
    expect(attemptOf(headers)).toBe(attempt);
  });
});
