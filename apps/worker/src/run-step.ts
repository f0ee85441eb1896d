/** One step of a task: announced, run in the sandbox, its output reported as it comes, its limits put into words. */
import { WORKSPACE, type Job, type JobResult, type LimitName, type Sandbox } from '@code-widgets/sandbox';

import { LineBuffer } from './line-buffer.js';
import type { Reporter } from './reporter.js';
import { shortened } from './shortened.js';
import { signalWords } from './signals.js';
import type { StepKind, StepTable } from './step-table.js';
import { limitWords, stepTimeMs, type TaskBudget, type TaskLimits } from './task-limits.js';

/** `runMs`: of the program, of all lab cases, or of the proof. */
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
  /** How long its steps have taken so far, in ms, however the task will end. */
  readonly spent: TaskTimes;
  readonly signal: AbortSignal;
}

/** A step's job, without what the step table and the task's budget say. */
export interface StepRequest extends Omit<Job, 'profile' | 'limits'> {
  readonly kind: StepKind;
  readonly announcement: string;
  /** The lab case that the step belongs to. */
  readonly ref?: string;
}

export interface StepResult {
  readonly end: JobResult;
  /** All that came to stdout, as it was reported. */
  readonly stdout: string;
  /** A limit of the whole task was hit: nothing can come after this step. */
  readonly endsTask: boolean;
}

/** Users see the names of their files alone. */
const WORKSPACE_PATH = `${WORKSPACE}/`;

/** In UTF-16 units. A lab can have 50 cases with 64 KiB of arguments each; the program gets all of them. */
const ANNOUNCEMENT_LENGTH = 4096;

/** Throws what the sandbox throws; whatever the user's program does is in the result. */
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
    // Of a step that was broken off, the time that it has cost.
    spent[kind === 'build' ? 'buildMs' : 'runMs'] += Math.round(ms ?? performance.now() - begin);
  }
  for (const stream of ['stdout', 'stderr'] as const) for (const line of lines[stream].end()) report(stream, line);

  const wholeTask = end.limit === 'time' && budget.msLeft === 0;
  if (end.limit) reporter.text('stderr', limitWords(end.limit, step, limits, wholeTask), ref);
  if (end.signal !== undefined) reporter.text('stderr', signalWords(end.signal, step.noun), ref);
  return { end, stdout, endsTask: wholeTask || isTaskLimit(end.limit) };
}

const isTaskLimit = (limit: LimitName | undefined) => limit === 'output';

/** As the original did: with its final slash first, then without. */
function withoutWorkspace(text: string): string {
  return text.replaceAll(WORKSPACE_PATH, '').replaceAll(WORKSPACE, '');
}
