/** From a delivery to its outcome: exactly one final message, or the task back to the queue. */
import { setTimeout as sleep } from 'node:timers/promises';

import { MAX_ATTEMPTS, ReplyQueueGone, type TaskDelivery, type TaskOutcome } from '@code-widgets/broker';
import { createProject, ProjectError, type GnatproveGeneration, type Mode, type Project } from '@code-widgets/project';
import type { Sandbox } from '@code-widgets/sandbox';
import type { Logger } from '@code-widgets/service';

import { Reporter } from './reporter.js';
import { runTask, type TaskEnd } from './run-task.js';
import { TaskBudget, type TaskLimits } from './task-limits.js';

/** A task whose engine is in trouble is not handed to the next worker in the same moment. */
const RETRY_DELAY_MS = 1000;
const INVALID_PROJECT: TaskEnd = { status: 1, buildMs: 0, runMs: 0 };

export interface HandlerDependencies {
  sandbox: Sandbox;
  generation: () => Promise<GnatproveGeneration>;
  limits: TaskLimits;
  log: Logger;
}

/** The handler that a worker consumes tasks with. */
export function createTaskHandler({ sandbox, generation, limits, log }: HandlerDependencies) {
  return async ({ task, attempt, replies, signal }: TaskDelivery): Promise<TaskOutcome> => {
    const { identifier, request, submittedAt } = task;
    const started = performance.now();
    const about = { identifier, mode: request.mode, attempt, queuedMs: Math.max(0, Date.now() - submittedAt) };
    // Whoever asked may be gone, or the task may be somebody else's by now: then stop working.
    const stop = new AbortController();
    const reporter = new Reporter(replies, attempt, () => stop.abort());
    const context = { sandbox, reporter, limits, budget: new TaskBudget(limits), signal: AbortSignal.any([signal, stop.signal]) };
    const workMs = () => Math.round(performance.now() - started);

    try {
      if (attempt > MAX_ATTEMPTS) {
        await reporter.finish({ state: 'FAILURE', status: 1, workMs: workMs() });
        log.error({ ...about, outcome: 'failure' }, 'task given up: it was lost with each worker that took it');
        return 'dead';
      }
      const project = projectOf(task, reporter);
      const end = project ? await runTask(project, context, generation) : INVALID_PROJECT;
      await reporter.finish({ state: 'SUCCESS', status: end.status, workMs: workMs() });
      log.info({ ...about, outcome: 'success', ...end, buildMs: Math.round(end.buildMs), runMs: Math.round(end.runMs) }, 'task done');
      return 'done';
    } catch (error) {
      const reason = (error as Error).message;
      if (reporter.failure instanceof ReplyQueueGone || error instanceof ReplyQueueGone) {
        log.info({ ...about, outcome: 'abandoned' }, 'task dropped: nobody polls it any more');
        return 'done';
      }
      log.warn({ ...about, outcome: 'retry', reason }, 'task given back');
      if (!signal.aborted) await sleep(RETRY_DELAY_MS, undefined, { signal }).catch(() => undefined);
      return 'retry';
    }
  };
}

/** The project again, from the message: a worker trusts nobody. What is wrong with it is told to the user. */
function projectOf({ request }: TaskDelivery['task'], reporter: Reporter): (Project & { mode: Mode }) | undefined {
  try {
    return { ...createProject(request), mode: request.mode };
  } catch (error) {
    if (!(error instanceof ProjectError)) throw error;
    reporter.text('stderr', error.message);
    return undefined;
  }
}
