/** One step of a task: announced, run in the sandbox, its output reported as it comes, its limits put into words. */
import type { LimitName, Sandbox, StepEnd, StepOptions } from '@code-widgets/sandbox';

import { LineBuffer } from './line-buffer.js';
import type { Reporter } from './reporter.js';
import { shortened } from './shortened.js';
import { signalWords } from './signals.js';
import { limitWords, stepTimeMs, type StepKind, type TaskBudget, type TaskLimits } from './task-limits.js';

/** `runMs`: of the program, of all lab cases, or of the proof. */
export interface TaskTimes {
  buildMs: number;
  runMs: number;
}

export interface TaskContext {
  readonly sandbox: Sandbox;
  readonly reporter: Reporter;
  readonly limits: TaskLimits;
  readonly budget: TaskBudget;
  /** How long its steps have taken so far, in ms, however the task will end. */
  readonly spent: TaskTimes;
  readonly signal: AbortSignal;
}

export interface StepRequest<End extends StepEnd> {
  readonly kind: StepKind;
  readonly announcement: string;
  /** The lab case that the step belongs to. */
  readonly ref?: string;
  readonly start: (options: StepOptions) => Promise<End>;
}

export interface StepResult<End extends StepEnd> {
  readonly end: End;
  /** All that came to stdout, as it was reported. */
  readonly stdout: string;
  /** A limit of the whole task was hit: nothing can come after this step. */
  readonly endsTask: boolean;
}

/** Where the project lies in every container; users see their files' names alone. */
const WORKSPACE = '/workspace/sessions';
const WORKSPACE_PATH = `${WORKSPACE}/`;

/** In UTF-16 units. A lab can have 50 cases with 64 KiB of arguments each; the program gets all of them. */
const ANNOUNCEMENT_LENGTH = 4096;

/** Throws what the sandbox throws; whatever the user's program does is in the result. */
export async function runStep<End extends StepEnd>(context: TaskContext, step: StepRequest<End>): Promise<StepResult<End>> {
  const { reporter, limits, budget, spent, signal } = context;
  const { kind, ref } = step;
  const announcement = shortened(step.announcement, ANNOUNCEMENT_LENGTH);
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
  let end: End;
  try {
    end = await step.start({
      timeLimitMs: stepTimeMs(kind, limits, budget),
      outputLimitBytes: budget.outputBytesLeft,
      signal,
      onOutput(stream, bytes) {
        budget.spendOutput(bytes.length);
        for (const line of lines[stream].push(bytes)) report(stream, line);
      },
    });
    ms = end.ms;
  } finally {
    // Of a step that was broken off, the time that it has cost.
    spent[kind === 'build' ? 'buildMs' : 'runMs'] += Math.round(ms ?? performance.now() - begin);
  }
  for (const stream of ['stdout', 'stderr'] as const) for (const line of lines[stream].end()) report(stream, line);

  const wholeTask = end.limit === 'time' && budget.msLeft === 0;
  if (end.limit) reporter.text('stderr', limitWords(end.limit, kind, limits, wholeTask), ref);
  if (end.signal !== undefined) reporter.text('stderr', signalWords(end.signal, kind), ref);
  return { end, stdout, endsTask: wholeTask || isTaskLimit(end.limit) };
}

const isTaskLimit = (limit: LimitName | undefined) => limit === 'output';

/** As the original did: with its final slash first, then without. */
function withoutWorkspace(text: string): string {
  return text.replaceAll(WORKSPACE_PATH, '').replaceAll(WORKSPACE, '');
}
