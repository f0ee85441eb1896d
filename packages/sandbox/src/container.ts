/** One container: made, attached to, started, asked how it is. Its removal is removals.ts's. */
import { randomUUID } from 'node:crypto';
import { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { IdleGate } from './idle-gate.js';
import { containerOptions, type ContainerContext, type ContainerShape } from './container-options.js';
import { engineCall, httpStatus, SandboxUnavailable } from './engine.js';
import type { Images } from './images.js';
import { AFTERMATH_MS, END_KNOWN_MS } from './limits.js';
import type { Removals } from './removals.js';

const MIN_POLL_MS = 20;

/** What it takes to make containers, and to see them off. */
export interface Engine {
  readonly docker: Docker;
  readonly context: ContainerContext;
  readonly images: Images;
  readonly removals: Removals;
  readonly idle: IdleGate;
}

/** Attached to, so that nothing of what it says is missed; its owner's to `retire` or `dispose`. */
export class StepContainer {
  #starting: Promise<unknown> | undefined;
  #isRetired = false;

  constructor(
    private readonly handle: Docker.Container,
    /** Its stdin, and what it says as Docker's frames. */
    readonly stream: Duplex,
    private readonly removals: Removals,
  ) {}

  /** Once, however often it is asked for. */
  start(signal?: AbortSignal): Promise<unknown> {
    this.#starting ??= engineCall('start a container', (abortSignal) => this.handle.start({ abortSignal }), signal);
    return this.#starting;
  }

  /** False as well if the engine does not say. */
  async isRunning(): Promise<boolean> {
    return this.#inspect().then(({ State }) => State.Running, () => false);
  }

  /** Of that image, it runs as it was started: not paused, restarted, or entered by anybody. True if the engine does not say. */
  async isUntouched(imageId: string): Promise<boolean> {
    const isAsStarted = ({ Image, State, ExecIDs, RestartCount }: Docker.ContainerInspectInfo) =>
      Image === imageId && State.Running && !State.Paused && !ExecIDs && RestartCount === 0;
    return this.#inspect().then(isAsStarted, () => true);
  }

  /** Whether it was made of that image. False if the engine does not say. */
  async isOf(imageId: string): Promise<boolean> {
    return this.#inspect().then(({ Image }) => Image === imageId, () => false);
  }

  /** The engine hears of a container's end a little later than its stream does. */
  async stateOnceEnded(): Promise<Docker.ContainerInspectInfo['State']> {
    const deadlineMs = performance.now() + END_KNOWN_MS;
    for (let wait = MIN_POLL_MS; ; wait *= 2) {
      const { State: state } = await this.#inspect();
      if (!state.Running || performance.now() + wait > deadlineMs) return state;
      await delay(wait);
    }
  }

  /** Ends it, whatever it is at, and has it removed, unless it is retired; the task's answer comes first. */
  dispose(): void {
    if (this.#isRetired) return;
    this.stream.destroy();
    void this.removals.remove(this.handle.id, AFTERMATH_MS);
  }

  /**
   * Has it removed when there is time for it. Its launcher has told the status and, unless others
   * are left in it, waits: the engine is not kept busy with its end while the task goes on.
   */
  retire(): void {
    this.#isRetired = true;
    void this.removals.retire(this.handle.id).finally(() => this.stream.destroy());
  }

  #inspect(): Promise<Docker.ContainerInspectInfo> {
    return engineCall('inspect a container', (abortSignal) => this.handle.inspect({ abortSignal }));
  }
}

/**
 * Makes a container and attaches to it; it is not started yet.
 * @throws {SandboxUnavailable} when the engine failed; the signal's reason on an abort. Then
 *   nothing is left of it.
 */
export async function makeContainer({ docker, context, removals }: Engine, shape: ContainerShape, signal?: AbortSignal): Promise<StepContainer> {
  // Named here, so that it can be removed even when the engine's answer to its creation is lost.
  const name = `code-widgets-${randomUUID()}`;
  const create = { ...containerOptions(shape, context), name };
  try {
    // Not ended by the signal: a creation that is under way goes on in the engine, and would come
    // after the removal.
    await engineCall('create a container', (abortSignal) => docker.createContainer({ ...create, abortSignal }));
  } catch (error) {
    if (httpStatus(error instanceof Error ? error.cause : undefined) === undefined) void removals.removeOnceMade(name);
    throw error;
  }
  try {
    signal?.throwIfAborted();
    const handle = docker.getContainer(name);
    return new StepContainer(handle, await attach(handle, signal), removals);
  } catch (error) {
    void removals.remove(name, AFTERMATH_MS);
    throw error;
  }
}

async function attach(container: Docker.Container, signal: AbortSignal | undefined): Promise<Duplex> {
  const options = { stream: true, hijack: true, stdin: true, stdout: true, stderr: true };
  const stream = await engineCall(
    'attach to a container',
    (abortSignal) => container.attach({ ...options, abortSignal }),
    signal,
  );
  if (!(stream instanceof Duplex)) throw new SandboxUnavailable('Docker did not hand over the connection');
  return stream;
}
