import type { LimitName } from '@code-widgets/sandbox';
import { describe, expect, it } from '@jest/globals';

import { readConfig } from '../src/config.js';
import { stepTable } from '../src/step-table.js';
import { limitWords, stepTimeMs, TaskBudget, taskLimits } from '../src/task-limits.js';

const config = readConfig({});
const limits = taskLimits(config);
const { build, run, prove } = stepTable(config);

describe('the message of a limit', () => {
  it('is the original one for a run, and similar for other steps', () => {
    const words = [
      limitWords('time', run, limits, false),
      limitWords('time', build, limits, false),
      limitWords('time', prove, limits, false),
      limitWords('time', run, limits, true),
      limitWords('memory', build, limits, false),
      limitWords('memory', prove, limits, false),
      limitWords('output', run, limits, false),
    ];
    expect(words.map((each) => /^<interrupted> : Maximum (.*) limit reached\.$/.exec(each)?.[1])).toEqual([
      '10s process',
      '30s build',
      '60s proof',
      '120s task',
      '256 MiB memory',
      '1024 MiB memory',
      '1 MiB output',
    ]);
  });

  it("contains the operator's value", () => {
    const set = readConfig({ RUN_LIMIT_MS: '2500', OUTPUT_LIMIT_BYTES: '2048', MEMORY_LIMIT_BYTES: '20000001' });
    const words = (limit: LimitName) => limitWords(limit, stepTable(set).run, taskLimits(set), false);
    expect(words('time')).toContain('2.5s process');
    expect(words('output')).toContain('2 KiB output');
    expect(words('memory')).toContain('20000001 bytes memory');
  });
});

describe('the time limit of a step', () => {
  it("is its own limit or the rest of the task's time", () => {
    expect(stepTimeMs(run, new TaskBudget(limits))).toBe(10_000);
    const left = stepTimeMs(prove, new TaskBudget({ ...limits, taskMs: 5000 }));
    expect(left).toBeLessThanOrEqual(5000);
    expect(left).toBeGreaterThan(4000);
    expect(stepTimeMs(run, new TaskBudget({ ...limits, taskMs: 0 }))).toBe(0);
  });
});

describe('announcements', () => {
  it('are free for usual tasks: fifty of a thousand characters', () => {
    const budget = new TaskBudget(limits);
    for (let i = 0; i < 50; i++) budget.spendAnnouncement(1000);
    expect(budget.outputBytesLeft).toBe(limits.outputBytes);
  });

  it("are charged to the task's output beyond 64 KiB", () => {
    const budget = new TaskBudget(limits);
    for (let i = 0; i < 50; i++) budget.spendAnnouncement(4096);
    expect(budget.outputBytesLeft).toBe(limits.outputBytes - (50 * 4096 - 64 * 1024));
    budget.spendAnnouncement(10 * 1024 * 1024);
    expect(budget.outputBytesLeft).toBe(0);
  });
});
