/** Runs a delivered task to its outcome: one final message, or the task is requeued or dead-lettered. */
import { setTimeout as sleep } from 'node:timers/promises';

import { BrokerUnavailable, ReplyQueueGone, type TaskDelivery, type TaskOutcome } from '@code-widgets/broker';
import {
  createProject,
  ProjectError,
  type GnatproveGeneration,
  type Mode,
  type Project,
  type ProjectOptions,
} from '@code-widgets/project';
import { ContainerLost, SandboxUnavailable, type Sandbox } from '@code-widgets/sandbox';
import type { Logger } from '@code-widgets/service';

import { Reporter } from './reporter.js';
import { runTask } from './run-task.js';
import type { StepTable } from './step-table.js';
import { TaskBudget, type TaskLimits } from './task-limits.js';

/** After a failure of the engine, a requeue waits at most this long for the engine to answer. */
const ENGINE_WAIT_MS = 60_000;
const ENGINE_RETRY_MS = 1000;
const INVALID_PROJECT = 1;

export interface HandlerDependencies {
  sandbox: Sandbox;
  generation: () => Promise<GnatproveGeneration>;
  steps: StepTable;
  limits: TaskLimits;
  /** Same as in the API. */
  projectOptions: ProjectOptions;
  log: Logger;
}

export function createTaskHandler({ sandbox, generation, steps, limits, projectOptions, log }: HandlerDependencies) {
  return async ({ task, attempt, isGivenUp, replies, signal }: TaskDelivery): Promise<TaskOutcome> => {
    const { identifier, request, submittedAt } = task;
    const started = performance.now();
    const spent = { buildMs: 0, runMs: 0 };
    const queuedMs = Math.max(0, Date.now() - submittedAt);
    /** Fields of the log line at the end of a task. */
    const logFields = (outcome: string) => ({ identifier, mode: request.mode, attempt, queuedMs, outcome, ...spent });
    // Aborts when the delivery is lost, or when replies can no longer be published.
    // Not AbortSignal.any: Node keeps a record of each derived signal as long as the source signal lives.
    const stop = new AbortController();
    const abort = () => stop.abort(signal.reason);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    const reporter = new Reporter(replies, attempt, () => stop.abort());
    const context = { sandbox, reporter, steps, limits, budget: new TaskBudget(limits), spent, signal: stop.signal };
    const workMs = () => Math.round(performance.now() - started);

    try {
      if (isGivenUp) {
        await reporter.finish({ state: 'FAILURE', status: 1, workMs: workMs() });
        log.error(logFields('failure'), 'task given up: it was lost with each worker that took it');
        return 'dead-letter';
      }
      const project = projectOf(task, projectOptions, reporter);
      const status = project ? await runTask(project, context, generation) : INVALID_PROJECT;
      await reporter.finish({ state: 'SUCCESS', status, workMs: workMs() });
      log.info({ ...logFields('success'), status }, 'task done');
      return 'done';
    } catch (error) {
      const reason = (error as Error).message;
      if (reporter.failure instanceof ReplyQueueGone || error instanceof ReplyQueueGone) {
        log.info(logFields('abandoned'), 'task dropped: nobody polls it any more');
        return 'done';
      }
      log.warn({ ...logFields('retry'), reason }, 'task requeued');
      if (reporter.failure instanceof BrokerUnavailable)
        return { requeue: true, countsAsAttempt: false, awaitsReplyQueue: true };
      await waitForEngine(sandbox, attempt, signal);
      // If a container ended on its own, the program in it may be the reason.
      return {
        requeue: true,
        countsAsAttempt: !(error instanceof SandboxUnavailable) || error instanceof ContainerLost,
      };
    } finally {
      signal.removeEventListener('abort', abort);
    }
  };
}

/**
 * Waits up to ENGINE_WAIT_MS until the engine answers. Before the first question it waits longer with each attempt,
 * because an engine may answer and yet have no room for a container.
 */
async function waitForEngine(sandbox: Sandbox, attempt: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.min(ENGINE_RETRY_MS * 2 ** (attempt - 1), ENGINE_WAIT_MS / 2), undefined, { signal }).catch(
    () => undefined,
  );
  for (const deadline = Date.now() + ENGINE_WAIT_MS; Date.now() < deadline && !signal.aborted;) {
    const fault = await sandbox.check().catch((error: unknown) => error);
    if (fault === undefined) return;
    await sleep(ENGINE_RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Checks the request again, since the worker does not trust messages. Reports an invalid one to the user. */
function projectOf(
  { request }: TaskDelivery['task'],
  options: ProjectOptions,
  reporter: Reporter,
): (Project & { mode: Mode }) | undefined {
  try {
    return { ...createProject(request, options), mode: request.mode };
  } catch (error) {
    if (!(error instanceof ProjectError)) throw error;
    reporter.text('stderr', error.message);
    return undefined;
  }
}
