/** Runs one job: leases or creates a container, sends the request, reads the result, removes the container. */
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { outerTimeLimitMs, specOf } from './container-options.js';
import { makeContainer, type ContainerDependencies, type ContainerLease } from './container.js';
import type { EndReason } from './frames.js';
import { isGvisor } from './gvisor.js';
import type { IdleGate } from './idle-gate.js';
import type { Images } from './images.js';
import { LIMIT_STATUS, type ExecuteOptions, type Job, type JobResult, type LimitName } from './job.js';
import { readLauncher, type LauncherResult } from './launcher-reader.js';
import { encodeRequest } from './launcher-request.js';
import { LAST_WORDS_MS } from './limits.js';
import type { Log } from './log.js';
import { ContainerLost } from './runtime.js';
import type { WarmPool } from './warm-pool.js';

export interface ExecuteDependencies extends ContainerDependencies {
  readonly images: Images;
  readonly idle: IdleGate;
  readonly log: Log;
  readonly pool?: WarmPool;
}

/** `inspect`: the launcher reports what a command would find, and executes none. */
export interface InternalOptions extends ExecuteOptions {
  inspect?: boolean;
}

/** Same as a shell. */
const MISSING_STATUS = 127;
const SIGNAL_STATUS = 128;

/** Same as `Execute`. */
export async function execute(
  dependencies: ExecuteDependencies,
  job: Job,
  options: InternalOptions,
): Promise<JobResult> {
  const { idle, images, pool } = dependencies;
  const { imageId, signal, inspect } = options;
  const encoded = encodeRequest(job, inspect);
  const spec = specOf(job);
  return idle.during(async () => {
    const image = imageId ?? (await images.known(job.profile.image));
    signal?.throwIfAborted();
    const container = pool?.lease(spec, image) ?? (await makeContainer(dependencies, spec, signal));
    try {
      const isOfImage = imageId === undefined ? undefined : container.isOf(imageId);
      const result = await runInContainer(dependencies, container, encoded, job, options);
      return { ...result, ...(isOfImage && { ranInImage: await isOfImage }) };
    } finally {
      container.discard();
    }
  });
}

async function runInContainer(
  { confining, log }: ExecuteDependencies,
  container: ContainerLease,
  encoded: Iterable<Buffer>,
  { limits, copyOut }: Job,
  { onOutput, signal }: InternalOptions,
): Promise<JobResult> {
  const { stream } = container;
  const deadline = new AbortController();
  const stop = signal === undefined ? deadline.signal : AbortSignal.any([deadline.signal, signal]);
  const reading = readLauncher(
    stream,
    { onOutput, outputLimitBytes: limits.outputBytes, expectsFile: copyOut !== undefined },
    stop,
  );
  let timer: NodeJS.Timeout | undefined;
  try {
    // The stream is not ended after the request, because the launcher exits when its stdin ends.
    void send(stream, encoded);
    const starting = container.start(signal);
    await Promise.race([starting, reading]);
    const startedMs = performance.now();
    let isOverdue = false;
    timer = setTimeout(() => {
      void container.isRunning().then(async (running) => {
        // If this process or the engine was suspended, the last output is still on its way.
        await delay(LAST_WORDS_MS);
        isOverdue = running;
        deadline.abort();
      });
    }, outerTimeLimitMs(limits.timeMs));
    const read = await reading;
    await starting;
    signal?.throwIfAborted();
    if (read.status !== undefined) {
      const { reason, status, ms } = read.status;
      if (isGvisor(confining.runtime) && (await failedForMemory(container, read.status)))
        return limitResult('memory', ms);
      container.retire();
      return { ...resultOf(reason, status, ms), ...(read.file && { copiedOut: read.file }) };
    }
    return await resultWithoutStatus(container, read, isOverdue, Math.round(performance.now() - startedMs), log);
  } finally {
    clearTimeout(timer);
    deadline.abort();
  }
}

async function send(stream: Duplex, chunks: Iterable<Buffer>): Promise<void> {
  for (const chunk of chunks) {
    const error = await new Promise((resolve) => stream.write(chunk, resolve));
    // The reader handles a lost connection.
    if (error) return;
  }
}

function limitResult(limit: LimitName, ms: number): JobResult {
  return { status: LIMIT_STATUS[limit], limit, ms };
}

function resultOf(reason: EndReason, status: number, ms: number): JobResult {
  if (reason === 'exited') return { status, ms };
  if (reason === 'signal') return { status, signal: status - SIGNAL_STATUS, ms };
  if (reason === 'missing') return { status: MISSING_STATUS, ms, commandMissing: true };
  return limitResult(reason, ms);
}

/** Without a status from the launcher, only the engine knows how the container ended. */
async function resultWithoutStatus(
  container: ContainerLease,
  { isReady, diagnostics }: LauncherResult,
  /** Whether the container still ran after its time limit and STEP_SLACK_MS. */
  isOverdue: boolean,
  ms: number,
  log: Log,
): Promise<JobResult> {
  // The launcher was ready, so the command itself blocks it. A retry would end in the same way.
  if (isOverdue && isReady) return limitResult('time', ms);
  const state = await container.stateOnceEnded();
  if (state.oomKilled) return limitResult('memory', ms);
  log.warn({ state, isReady, diagnostics }, 'a container ended without a status');
  const outcome = state.isRunning ? 'does not answer' : `ended with ${state.exitCode}`;
  throw new ContainerLost(`the container ${outcome} and did not say how its command ended`);
}

/**
 * Whether memory ran out under gVisor. There only the host counts memory, so the launcher reports an OOM kill as a
 * failure of the command.
 */
async function failedForMemory(
  container: ContainerLease,
  { reason, status }: { reason: EndReason; status: number },
): Promise<boolean> {
  if ((reason !== 'exited' && reason !== 'signal') || status === 0) return false;
  container.stream.end(); // Makes the launcher exit.
  return (await container.stateOnceEnded()).oomKilled;
}
