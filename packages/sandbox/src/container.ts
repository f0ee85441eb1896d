/** Creates, starts and inspects one container. Its lease decides when it is removed. */
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { containerOptions, type Confining, type ContainerSpec } from './container-options.js';
import { AFTERMATH_MS, END_KNOWN_MS } from './limits.js';
import type { Removals } from './removals.js';
import { EngineRefused, type ContainerState, type Runtime } from './runtime.js';

const MIN_POLL_MS = 20;

export interface ContainerDependencies {
  readonly runtime: Runtime;
  readonly confining: Confining;
  readonly removals: Removals;
}

/** Exclusive use of one container. The holder calls `retire` or `discard` once at the end. */
export class ContainerLease {
  private starting: Promise<void> | undefined;
  private isRetired = false;

  constructor(
    private readonly name: string,
    /** Carries the container's stdin, and its output in Docker's framing. */
    readonly stream: Duplex,
    private readonly runtime: Runtime,
    private readonly removals: Removals,
  ) {}

  /** Idempotent: further calls wait for the first start. */
  start(signal?: AbortSignal): Promise<void> {
    return (this.starting ??= this.runtime.start(this.name, signal));
  }

  /** False if the engine does not answer. */
  async isRunning(): Promise<boolean> {
    return this.inspect().then(
      ({ isRunning }) => isRunning,
      () => false,
    );
  }

  /** Whether the image is right and nobody paused, restarted or entered it. True if the engine does not answer. */
  async isUntouched(imageId: string): Promise<boolean> {
    return this.inspect().then(
      ({ image, isUntouched }) => image === imageId && isUntouched,
      () => true,
    );
  }

  /** Whether it was made from this image. False if the engine does not answer. */
  async isOf(imageId: string): Promise<boolean> {
    return this.inspect().then(
      ({ image }) => image === imageId,
      () => false,
    );
  }

  /**
   * Waits up to END_KNOWN_MS until the engine knows of the end, which it learns a little later than the stream does.
   */
  async stateOnceEnded(): Promise<ContainerState> {
    const deadlineMs = performance.now() + END_KNOWN_MS;
    for (let wait = MIN_POLL_MS; ; wait *= 2) {
      const state = await this.inspect();
      if (!state.isRunning || performance.now() + wait > deadlineMs) return state;
      await delay(wait);
    }
  }

  /** Removes it soon, even while it runs. Does nothing after `retire`. */
  discard(): void {
    if (this.isRetired) return;
    this.stream.destroy();
    void this.removals.remove(this.name, AFTERMATH_MS);
  }

  /** Removes it at an idle time, since the engine's work for it would delay the task. Its launcher waits until then. */
  retire(): void {
    this.isRetired = true;
    void this.removals.retire(this.name).finally(() => this.stream.destroy());
  }

  private inspect(): Promise<ContainerState> {
    return this.runtime.inspect(this.name);
  }
}

/**
 * Creates a container and attaches to it, without starting it. After an error the container is removed.
 * @throws {SandboxUnavailable} when the engine failed; the signal's reason on an abort.
 */
export async function makeContainer(
  { runtime, confining, removals }: ContainerDependencies,
  spec: ContainerSpec,
  signal?: AbortSignal,
): Promise<ContainerLease> {
  // The name is chosen here, so that the container can be removed even if the engine's answer is lost.
  const name = `code-widgets-${randomUUID()}`;
  try {
    // No signal here: the engine would finish an aborted creation, perhaps after the removal.
    await runtime.create(name, containerOptions(spec, confining));
  } catch (error) {
    if (!(error instanceof EngineRefused)) void removals.removeOnceMade(name);
    throw error;
  }
  try {
    signal?.throwIfAborted();
    return new ContainerLease(name, await runtime.attach(name, signal), runtime, removals);
  } catch (error) {
    void removals.remove(name, AFTERMATH_MS);
    throw error;
  }
}
