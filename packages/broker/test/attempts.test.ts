import { describe, expect, it } from '@jest/globals';

import { attemptOf, decideAttempt, FIRST_ATTEMPT, MAX_STARTS, reduceAttempts } from '../src/attempts.js';

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

describe('the attempts of a task', () => {
  type Event = [attempt: number, event: 'delivered' | 'begun' | 'returned'];
  const after = (...events: Event[]) =>
    events.reduce((attempts, [attempt, event]) => reduceAttempts(attempts, { attempt, event }), FIRST_ATTEMPT);

  it.each<[string, Event[], Record<number, string>]>([
    ['the first attempt runs without an event', [], { 1: 'running' }],
    ['a running attempt is lost when a later one is delivered', [[2, 'delivered']], { 1: 'lost' }],
    [
      'a returned attempt is not lost',
      [
        [1, 'returned'],
        [2, 'delivered'],
      ],
      { 1: 'returned' },
    ],
    ['an attempt runs once it has begun', [[2, 'begun']], { 1: 'lost', 2: 'running' }],
    [
      'an attempt that never began is not lost',
      [
        [2, 'delivered'],
        [3, 'delivered'],
      ],
      { 1: 'lost' },
    ],
    [
      'an attempt that never began is not returned',
      [
        [2, 'returned'],
        [3, 'delivered'],
      ],
      { 1: 'lost' },
    ],
    [
      'an attempt can be returned late',
      [
        [2, 'begun'],
        [1, 'returned'],
      ],
      { 1: 'returned', 2: 'running' },
    ],
  ])('%s', (_, events, expected) => {
    expect(Object.fromEntries(after(...events))).toEqual(expected);
  });

  /** Attempts that each begin and end as listed. */
  const ended = (...ends: ('lost' | 'returned')[]) =>
    after(
      ...ends.flatMap((end, i): Event[] => [
        [i + 1, 'begun'],
        ...(end === 'returned' ? [[i + 1, 'returned'] as Event] : []),
      ]),
      [ends.length + 1, 'delivered'],
    );

  it.each([
    [[], 1, 'run'],
    [['lost'], 2, 'run'],
    [['lost', 'lost'], 3, 'run-alone'],
    [['lost', 'lost', 'lost'], 4, 'give-up'],
    [['lost', 'returned', 'returned', 'lost', 'returned'], 6, 'run-alone'],
    [Array<'returned'>(MAX_STARTS - 1).fill('returned'), MAX_STARTS, 'run'],
    [Array<'returned'>(MAX_STARTS).fill('returned'), MAX_STARTS + 1, 'give-up'],
    [['lost'], 100, 'run'],
    [['lost'], 101, 'give-up'],
  ] as const)('after %j the decision for attempt %i is %s', (ends, attempt, decision) => {
    expect(decideAttempt(ends.length === 0 ? new Map() : ended(...ends), attempt)).toBe(decision);
  });
});
