/** The budget of a task, and the messages for reached limits. */
import type { LimitName } from '@code-widgets/sandbox';

import type { Config } from './config.js';
import type { StepSettings } from './step-table.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Limits of a whole task. The step table has the limits of steps. */
export interface TaskLimits {
  taskMs: number;
  outputBytes: number;
  /** Longer lines are sent in parts. */
  lineBytes: number;
}

export function taskLimits(config: Config): TaskLimits {
  return { taskMs: config.TASK_LIMIT_MS, outputBytes: config.OUTPUT_LIMIT_BYTES, lineBytes: config.LINE_LIMIT_BYTES };
}

/** Bytes of announcements that are not charged to the output: enough for 50 lab cases with usual arguments. */
const FREE_ANNOUNCEMENT_BYTES = 64 * KIB;

export class TaskBudget {
  private readonly deadline: number;
  private bytesLeft: number;
  private announcementBytesLeft = FREE_ANNOUNCEMENT_BYTES;

  constructor(limits: Pick<TaskLimits, 'taskMs' | 'outputBytes'>) {
    this.deadline = performance.now() + limits.taskMs;
    this.bytesLeft = limits.outputBytes;
  }

  get msLeft(): number {
    return Math.max(0, this.deadline - performance.now());
  }

  get outputBytesLeft(): number {
    return this.bytesLeft;
  }

  spendOutput(bytes: number): void {
    this.bytesLeft = Math.max(0, this.bytesLeft - bytes);
  }

  /** Charges announcements beyond the free ones to the program's output. */
  spendAnnouncement(bytes: number): void {
    this.spendOutput(Math.max(0, bytes - this.announcementBytesLeft));
    this.announcementBytesLeft = Math.max(0, this.announcementBytesLeft - bytes);
  }
}

/** The smaller of the step's limit and the task's remaining time, in ms. */
export function stepTimeMs({ timeMs }: StepSettings, budget: TaskBudget): number {
  return Math.min(timeMs, budget.msLeft);
}

/** `wholeTask`: the task's time limit was reached, not the step's. */
export function limitWords(
  limit: LimitName,
  { timeMs, limitWord, profile }: StepSettings,
  limits: TaskLimits,
  wholeTask: boolean,
): string {
  switch (limit) {
    case 'time':
      return wholeTask ? interrupted(`${limits.taskMs / 1000}s task`) : interrupted(`${timeMs / 1000}s ${limitWord}`);
    case 'memory':
      return interrupted(`${size(profile.memoryBytes)} memory`);
    case 'output':
      return interrupted(`${size(limits.outputBytes)} output`);
  }
}

const interrupted = (limit: string) => `<interrupted> : Maximum ${limit} limit reached.`;

function size(bytes: number): string {
  if (bytes % MIB === 0) return `${bytes / MIB} MiB`;
  return bytes % KIB === 0 ? `${bytes / KIB} KiB` : `${bytes} bytes`;
}
