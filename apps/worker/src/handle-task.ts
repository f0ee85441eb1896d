/** From a delivery to its outcome: exactly one final message, or the task requeued. */
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

/** While the engine is in trouble a task is kept for so long, rather than handed from one attempt to the next. */
const ENGINE_PATIENCE_MS = 60_000;
const ENGINE_RETRY_MS = 1000;
/** The exit status of a task that a worker did not find fit to be built. */
const INVALID_PROJECT = 1;

export interface HandlerDependencies {
  sandbox: Sandbox;
  generation: () => Promise<GnatproveGeneration>;
  steps: StepTable;
  limits: TaskLimits;
  /** Those of the widgets. */
  projectOptions: ProjectOptions;
  log: Logger;
}

/** The handler that a worker consumes tasks with. */
export function createTaskHandler({ sandbox, generation, steps, limits, projectOptions, log }: HandlerDependencies) {
  return async ({ task, attempt, isGivenUp, replies, signal }: TaskDelivery): Promise<TaskOutcome> => {
    const { identifier, request, submittedAt } = task;
    const started = performance.now();
    const spent = { buildMs: 0, runMs: 0 };
    const queuedMs = Math.max(0, Date.now() - submittedAt);
    /** What the line of a task's end has, whatever the outcome. */
    const about = (outcome: string) => ({ identifier, mode: request.mode, attempt, queuedMs, outcome, ...spent });
    // Whoever asked may be gone, or the task may be somebody else's by now: then stop working.
    // Not AbortSignal.any: Node keeps a note of each such signal with the one that it is made of, which lives on.
    const stop = new AbortController();
    const giveUp = () => stop.abort(signal.reason);
    signal.addEventListener('abort', giveUp);
    if (signal.aborted) giveUp();
    const reporter = new Reporter(replies, attempt, () => stop.abort());
    const context = { sandbox, reporter, steps, limits, budget: new TaskBudget(limits), spent, signal: stop.signal };
    const workMs = () => Math.round(performance.now() - started);

    try {
      if (isGivenUp) {
        await reporter.finish({ state: 'FAILURE', status: 1, workMs: workMs() });
        log.error(about('failure'), 'task given up: it was lost with each worker that took it');
        return 'dead-letter';
      }
      const project = projectOf(task, projectOptions, reporter);
      const status = project ? await runTask(project, context, generation) : INVALID_PROJECT;
      await reporter.finish({ state: 'SUCCESS', status, workMs: workMs() });
      log.info({ ...about('success'), status }, 'task done');
      return 'done';
    } catch (error) {
      const reason = (error as Error).message;
      if (reporter.failure instanceof ReplyQueueGone || error instanceof ReplyQueueGone) {
        log.info(about('abandoned'), 'task dropped: nobody polls it any more');
        return 'done';
      }
      log.warn({ ...about('retry'), reason }, 'task requeued');
      if (reporter.failure instanceof BrokerUnavailable)
        return { requeue: true, countsAsAttempt: false, awaitsReplyQueue: true };
      await engineAnswers(sandbox, attempt, signal);
      // If a container ended on its own, the program in it may be the reason.
      return {
        requeue: true,
        countsAsAttempt: !(error instanceof SandboxUnavailable) || error instanceof ContainerLost,
      };
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  };
}

/**
 * Waits until the engine can be used again, the time is up, or the task is no longer ours. Longer
 * with each attempt: an engine may answer, and yet have no room for a container.
 */
async function engineAnswers(sandbox: Sandbox, attempt: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.min(ENGINE_RETRY_MS * 2 ** (attempt - 1), ENGINE_PATIENCE_MS / 2), undefined, { signal }).catch(
    () => undefined,
  );
  for (const deadline = Date.now() + ENGINE_PATIENCE_MS; Date.now() < deadline && !signal.aborted;) {
    const fault = await sandbox.check().catch((error: unknown) => error);
    if (fault === undefined) return;
    await sleep(ENGINE_RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** The project again, from the message: a worker trusts nobody. What is wrong with it is told to the user. */
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
