/** What is left of a task's time and output, and the words that a user reads when a limit is hit. */
import type { LimitName } from '@code-widgets/sandbox';

import type { Config } from './config.js';
import type { StepSettings } from './step-table.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Limits of a whole task. Those of a step are in the step table. */
export interface TaskLimits {
  taskMs: number;
  /** stdout and stderr together. */
  outputBytes: number;
  /** A line without an end is sent in parts of this size. */
  lineBytes: number;
}

export function taskLimits(config: Config): TaskLimits {
  return { taskMs: config.TASK_LIMIT_MS, outputBytes: config.OUTPUT_LIMIT_BYTES, lineBytes: config.LINE_LIMIT_BYTES };
}

/** Announcements of a task that are not charged to its output: more than 50 lab cases with usual arguments need. */
const FREE_ANNOUNCEMENT_BYTES = 64 * KIB;

export class TaskBudget {
  private readonly deadline: number;
  private bytesLeft: number;
  private announcementBytesLeft = FREE_ANNOUNCEMENT_BYTES;

  constructor(limits: Pick<TaskLimits, 'taskMs' | 'outputBytes'>) {
    this.deadline = performance.now() + limits.taskMs;
    this.bytesLeft = limits.outputBytes;
  }

  /** At least 0. */
  get msLeft(): number {
    return Math.max(0, this.deadline - performance.now());
  }

  get outputBytesLeft(): number {
    return this.bytesLeft;
  }

  spendOutput(bytes: number): void {
    this.bytesLeft = Math.max(0, this.bytesLeft - bytes);
  }

  /** Announcements beyond the free ones take room from the program's output. */
  spendAnnouncement(bytes: number): void {
    this.spendOutput(Math.max(0, bytes - this.announcementBytesLeft));
    this.announcementBytesLeft = Math.max(0, this.announcementBytesLeft - bytes);
  }
}

/** How long one step may take, in ms: its own limit, or what is left of the task's. */
export function stepTimeMs({ timeMs }: StepSettings, budget: TaskBudget): number {
  return Math.min(timeMs, budget.msLeft);
}

/** `wholeTask`: the step was cut short by the task's time, not by its own. */
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

/** In the largest unit that needs no fraction. */
function size(bytes: number): string {
  if (bytes % MIB === 0) return `${bytes / MIB} MiB`;
  return bytes % KIB === 0 ? `${bytes / KIB} KiB` : `${bytes} bytes`;
}
