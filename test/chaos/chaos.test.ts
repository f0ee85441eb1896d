/** The parts of the chaos run without side effects: random numbers, schedule, verdict. */
import { describe, expect, it } from '@jest/globals';
import type { OutputItem } from '@code-widgets/protocol';

import type { Sighting } from './clients.js';
import { createRandom } from './random.js';
import { FAULTS, scheduleFaults } from './schedule.js';
import { makeTasks, type ChaosTask } from './tasks.js';
import { judge } from './verdict.js';

const take = <T>(count: number, from: Iterator<T, never>) => Array.from({ length: count }, () => from.next().value);

describe('a schedule', () => {
  it('is the same for the same seed and differs for another', () => {
    expect(take(100, scheduleFaults(7))).toEqual(take(100, scheduleFaults(7)));
    expect(take(100, scheduleFaults(7))).not.toEqual(take(100, scheduleFaults(8)));
  });

  it('contains each class of faults once before any repeats', () => {
    const names = take(2 * FAULTS.length, scheduleFaults(1)).map(({ name }) => name);
    expect(names.slice(0, FAULTS.length).sort()).toEqual([...FAULTS].sort());
    expect(names.slice(FAULTS.length).sort()).toEqual([...FAULTS].sort());
  });
});

it('a seed always yields the same tasks, of all kinds', () => {
  const kinds = (seed: number) => makeTasks(200, seed).map(({ kind }) => kind);
  expect(kinds(3)).toEqual(kinds(3));
  expect(new Set(kinds(3)).size).toBe(9);
});

it('shuffling keeps all elements', () => {
  expect(createRandom(5).shuffled([1, 2, 3, 4]).sort()).toEqual([1, 2, 3, 4]);
});

describe('the verdict', () => {
  const task = makeTasks(200, 1).find(({ kind }) => kind === 'hello') as ChaosTask;
  const console: OutputItem = { msg: { type: 'console', data: 'gprbuild -q -P main.gpr' } };
  const stdout = (data: string): OutputItem => ({ msg: { type: 'stdout', data } });
  const notice: OutputItem = {
    msg: { type: 'stderr', data: 'The run was started again: the machine that it ran on was lost.' },
  };
  const built = stdout('Build completed successfully.');
  const hello = stdout(`hello ${task.number}\n`);
  const seen = (items: OutputItem[], more: Partial<Sighting> = {}): Sighting => ({
    task,
    pollStyle: 'calm',
    identifier: 'x',
    items,
    progressAt: [1],
    offences: [],
    completedAt: 2,
    status: 0,
    message: 'SUCCESS',
    ...more,
  });
  const counts = (sighting: Sighting) => {
    const { lost, doubled, wrong, restarted } = judge([sighting]);
    return { lost: lost.length, doubled: doubled.length, wrong: wrong.length, restarted };
  };
  const none = { lost: 0, doubled: 0, wrong: 0, restarted: 0 };

  it.each<[string, Sighting, Partial<typeof none>]>([
    ['a correct answer', seen([console, built, hello]), {}],
    [
      'a correct answer after a partial lost attempt',
      seen([console, built, notice, console, built, hello]),
      { restarted: 1 },
    ],
    ['an answer without a line', seen([console, built]), { wrong: 1 }],
    ['an answer with another status', seen([console, built, hello], { status: 1 }), { wrong: 1 }],
    ['two attempts shown as one', seen([console, built, console, built, hello]), { doubled: 1 }],
    [
      'a part that is none of this task',
      seen([console, stdout('a part of another task'), notice, console, built, hello]),
      { wrong: 1, restarted: 1 },
    ],
    ['a missing end', seen([console], { completedAt: undefined, gaveUp: 'no end' }), { lost: 1 }],
    [
      'a different end in a second answer',
      seen([console, built, hello], { offences: ['asked again'] }),
      { doubled: 1 },
    ],
  ])('is correct for %s', (_, sighting, expected) => {
    expect(counts(sighting)).toEqual({ ...none, ...expected });
  });
});
