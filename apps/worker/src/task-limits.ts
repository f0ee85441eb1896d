/** What is left of a task's time and output, and the words that a user reads when a limit is hit. */
import type { LimitName } from '@code-widgets/sandbox';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Times in ms, sizes in bytes. */
export interface TaskLimits {
  buildMs: number;
  runMs: number;
  proveMs: number;
  taskMs: number;
  outputBytes: number;
  /** Of one line of output. */
  lineBytes: number;
  memoryBytes: number;
  proveMemoryBytes: number;
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

export type StepKind = 'build' | 'run' | 'prove';

const TIME_LIMIT_OF: Record<StepKind, 'buildMs' | 'runMs' | 'proveMs'> = { build: 'buildMs', run: 'runMs', prove: 'proveMs' };
/** The run's words are the original's; the frontend's readers know them. */
const TIME_WORDS: Record<StepKind | 'task', string> = { build: 'build', run: 'process', prove: 'proof', task: 'task' };

/** How long one step may take, in ms: its own limit, or what is left of the task's. */
export function stepTimeMs(kind: StepKind, limits: TaskLimits, budget: TaskBudget): number {
  return Math.min(limits[TIME_LIMIT_OF[kind]], budget.msLeft);
}

/** `wholeTask`: the step was cut short by the task's time, not by its own. */
export function limitWords(limit: LimitName, kind: StepKind, limits: TaskLimits, wholeTask: boolean): string {
  switch (limit) {
    case 'time': {
      const ms = wholeTask ? limits.taskMs : limits[TIME_LIMIT_OF[kind]];
      return interrupted(`${ms / 1000}s ${TIME_WORDS[wholeTask ? 'task' : kind]}`);
    }
    case 'memory':
      return interrupted(`${size(kind === 'prove' ? limits.proveMemoryBytes : limits.memoryBytes)} memory`);
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
