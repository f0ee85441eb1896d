/** Runs one step of a task: announces it, runs its job, reports output, and explains limits. */
import { WORKSPACE, type Job, type JobResult, type LimitName, type Sandbox } from '@code-widgets/sandbox';

import { LineBuffer } from './line-buffer.js';
import type { Reporter } from './reporter.js';
import { shortened } from './shortened.js';
import { signalWords } from './signals.js';
import type { StepKind, StepTable } from './step-table.js';
import { limitWords, stepTimeMs, type TaskBudget, type TaskLimits } from './task-limits.js';

/** `runMs`: time of the program, of all lab cases, or of the proof. */
export interface TaskTimes {
  buildMs: number;
  runMs: number;
}

export interface TaskContext {
  readonly sandbox: Sandbox;
  readonly reporter: Reporter;
  readonly steps: StepTable;
  readonly limits: TaskLimits;
  readonly budget: TaskBudget;
  /** In ms, filled in even if the task fails. */
  readonly spent: TaskTimes;
  readonly signal: AbortSignal;
}

/** Members of the job that do not come from the step table or the budget. */
export interface StepRequest extends Omit<Job, 'profile' | 'limits'> {
  readonly kind: StepKind;
  readonly announcement: string;
  readonly ref?: string;
}

export interface StepResult {
  readonly end: JobResult;
  /** stdout as it was reported to the user. */
  readonly stdout: string;
  /** The task's time or output limit was reached, so no further step can run. */
  readonly endsTask: boolean;
}

const WORKSPACE_PATH = `${WORKSPACE}/`;

/**
 * Maximum length of an announcement, in UTF-16 units. A lab may have 50 cases with 64 KiB of arguments each. The
 * program gets them whole.
 */
const ANNOUNCEMENT_LENGTH = 4096;

/** Throws only what the sandbox throws. Failures of the user's program are in the result. */
export async function runStep(
  context: TaskContext,
  { kind, announcement: whole, ref, ...job }: StepRequest,
): Promise<StepResult> {
  const { sandbox, reporter, steps, limits, budget, spent, signal } = context;
  const step = steps[kind];
  const announcement = shortened(whole, ANNOUNCEMENT_LENGTH);
  budget.spendAnnouncement(Buffer.byteLength(announcement));
  reporter.text('console', announcement, ref);

  const lineBuffer = () => new LineBuffer(limits.lineBytes, WORKSPACE_PATH);
  const lines = { stdout: lineBuffer(), stderr: lineBuffer() };
  let stdout = '';
  const report = (stream: 'stdout' | 'stderr', text: string) => {
    const shown = withoutWorkspace(text);
    if (shown === '' && text !== '') return;
    if (stream === 'stdout') stdout += shown;
    reporter.text(stream, shown, ref);
  };

  const begin = performance.now();
  let ms: number | undefined;
  let end: JobResult;
  try {
    const jobLimits = { timeMs: stepTimeMs(step, budget), outputBytes: budget.outputBytesLeft };
    end = await sandbox.execute(
      { ...job, profile: step.profile, limits: jobLimits },
      {
        signal,
        onOutput(stream, bytes) {
          budget.spendOutput(bytes.length);
          for (const line of lines[stream].push(bytes)) report(stream, line);
        },
      },
    );
    ms = end.ms;
  } finally {
    // An aborted step has no run time, so its elapsed time counts.
    spent[kind === 'build' ? 'buildMs' : 'runMs'] += Math.round(ms ?? performance.now() - begin);
  }
  for (const stream of ['stdout', 'stderr'] as const) for (const line of lines[stream].end()) report(stream, line);

  const wholeTask = end.limit === 'time' && budget.msLeft === 0;
  if (end.limit) reporter.text('stderr', limitWords(end.limit, step, limits, wholeTask), ref);
  if (end.signal !== undefined) reporter.text('stderr', signalWords(end.signal, step.noun), ref);
  return { end, stdout, endsTask: wholeTask || isTaskLimit(end.limit) };
}

const isTaskLimit = (limit: LimitName | undefined) => limit === 'output';

/** Removes the path in the order of the original service: first with the final slash. */
function withoutWorkspace(text: string): string {
  return text.replaceAll(WORKSPACE_PATH, '').replaceAll(WORKSPACE, '');
}
