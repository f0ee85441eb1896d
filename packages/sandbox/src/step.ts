/** One step: one container, made for it or waiting for it, sent its request, listened to, and removed. */
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { outerTimeLimitMs, shapeOf } from './container-options.js';
import { makeContainer, type Engine, type StepContainer } from './container.js';
import { listen, type Heard, type OutputListener } from './conversation.js';
import { ContainerLost } from './engine.js';
import type { Executable } from './executable.js';
import type { EndReason } from './frames.js';
import { isGvisor } from './gvisor.js';
import { encodeRequest, type LauncherRequest } from './launcher-request.js';
import { LAST_WORDS_MS } from './limits.js';
import type { Log } from './log.js';
import type { Pool } from './pool.js';

export type LimitName = 'time' | 'memory' | 'output';

export interface StepEnd {
  /** The command's exit status, 128 + signal for a signal, or the status of the limit. */
  status: number;
  limit?: LimitName;
  /** The number of the signal that ended the command, if no limit did. */
  signal?: number;
  /** The command's own run time. */
  ms: number;
  /** There is no such command in the image. */
  commandMissing?: true;
}

export interface BuildEnd extends StepEnd {
  /** Missing after a build that failed or left no regular file of that name. */
  executable?: Executable;
}

export interface StepOptions {
  /** Called in order, with the bytes exactly as they were written; none empty. */
  onOutput: OutputListener;
  timeLimitMs: number;
  /** stdout and stderr together. */
  outputLimitBytes: number;
  /** Removes the container; the step rejects with the signal's reason. */
  signal?: AbortSignal;
}

export interface Workshop extends Engine {
  readonly log: Log;
  /** None: each container is made when it is needed. */
  readonly pool?: Pool;
}

/** As a shell and the tools of the trade have them: timeout(1), SIGKILL, SIGXFSZ, not found. */
const LIMIT_STATUS: Record<LimitName, number> = { time: 124, memory: 137, output: 153 };
const MISSING_STATUS = 127;
const SIGNAL_STATUS = 128;

function limitEnd(limit: LimitName, ms: number): StepEnd {
  return { status: LIMIT_STATUS[limit], limit, ms };
}

function toStepEnd(reason: EndReason, status: number, ms: number): StepEnd {
  if (reason === 'exited') return { status, ms };
  if (reason === 'signal') return { status, signal: status - SIGNAL_STATUS, ms };
  if (reason === 'missing') return { status: MISSING_STATUS, ms, commandMissing: true };
  return limitEnd(reason, ms);
}

/** For who has to know which image a step runs in. */
export interface ImageWish {
  /** That of a container that has waited; one that is made now is of whatever has the name. Without it, what is known of the name. */
  imageId?: string;
  /** Called with the container that the step runs in. */
  onContainer?: (container: StepContainer) => void;
}

/**
 * Runs a step to its end.
 * @throws {SandboxUnavailable} when the engine or the container failed, through no fault of the
 *   command; RangeError when the request cannot be sent; the signal's reason on an abort.
 */
export async function runStep(
  workshop: Workshop,
  request: LauncherRequest,
  options: StepOptions,
  { imageId, onContainer }: ImageWish = {},
): Promise<BuildEnd> {
  const { context, idle, images, pool } = workshop;
  const { signal } = options;
  const encoded = encodeRequest(request);
  const shape = shapeOf(request, context.limits);
  return idle.during(async () => {
    const image = imageId ?? (await images.known(request.kind));
    signal?.throwIfAborted();
    const container = pool?.take(shape, image) ?? (await makeContainer(workshop, shape, signal));
    try {
      onContainer?.(container);
      return await converse(workshop, container, encoded, request, options);
    } finally {
      container.dispose();
    }
  });
}

async function converse(
  { context, log }: Workshop,
  container: StepContainer,
  encoded: Iterable<Buffer>,
  request: LauncherRequest,
  { onOutput, outputLimitBytes, signal }: StepOptions,
): Promise<BuildEnd> {
  const { stream } = container;
  const outer = new AbortController();
  const patience = signal === undefined ? outer.signal : AbortSignal.any([outer.signal, signal]);
  const hearing = listen(stream, { onOutput, outputLimitBytes, handsBack: request.handBack !== undefined }, patience);
  let timer: NodeJS.Timeout | undefined;
  try {
    // Read once there is somebody to read it. Left open to the end: the launcher takes the end of
    // its stdin for the end of the worker.
    void send(stream, encoded);
    // Whoever fails first, the start or the conversation, ends both.
    const starting = container.start(signal);
    await Promise.race([starting, hearing]);
    const startedMs = performance.now();
    let outlived = false;
    timer = setTimeout(() => {
      void container.isRunning().then(async (running) => {
        // If it was this process or the engine that stood still, the last words are on their way.
        await delay(LAST_WORDS_MS);
        outlived = running;
        outer.abort();
      });
    }, outerTimeLimitMs(request.timeLimitMs));
    const heard = await hearing;
    await starting;
    signal?.throwIfAborted();
    if (heard.status !== undefined) {
      const { reason, status, ms } = heard.status;
      if (isGvisor(context.runtime) && (await failedForMemory(container, heard.status))) return limitEnd('memory', ms);
      container.retire();
      return { ...toStepEnd(reason, status, ms), ...(heard.executable ? { executable: heard.executable } : {}) };
    }
    const ms = Math.round(performance.now() - startedMs);
    return await endWithoutStatus(container, heard, outlived, ms, log);
  } finally {
    clearTimeout(timer);
    outer.abort();
  }
}

/** Chunk by chunk, as the launcher reads. */
async function send(stream: Duplex, chunks: Iterable<Buffer>): Promise<void> {
  for (const chunk of chunks) {
    const error = await new Promise((resolve) => stream.write(chunk, resolve));
    // A connection that is gone is noticed by the one that listens to it.
    if (error) return;
  }
}

/** The launcher did not say how it ended, so the engine must know. */
async function endWithoutStatus(
  container: StepContainer,
  heard: Heard,
  /** Whether it was still running when its time and more was over. */
  outlived: boolean,
  ms: number,
  log: Log,
): Promise<StepEnd> {
  // It had begun: what keeps it from ending is the command, which would do so again elsewhere.
  if (outlived && heard.ready) return limitEnd('time', ms);
  const state = await container.stateOnceEnded();
  if (state.OOMKilled) return limitEnd('memory', ms);
  log.warn({ state, ready: heard.ready, diagnostics: heard.diagnostics }, 'a container ended without a status');
  const outcome = state.Running ? 'does not answer' : `ended with ${state.ExitCode}`;
  throw new ContainerLost(`the container ${outcome} and did not say how its command ended`);
}

/**
 * Under gVisor memory is the host's to count, which the launcher cannot see: what it takes for a
 * failure of the command's may be the host's kill, of which the engine knows once all has ended.
 */
async function failedForMemory(container: StepContainer, { reason, status }: { reason: EndReason; status: number }): Promise<boolean> {
  if ((reason !== 'exited' && reason !== 'signal') || status === 0) return false;
  container.stream.end(); // Its launcher waits for that.
  return (await container.stateOnceEnded()).OOMKilled;
}
