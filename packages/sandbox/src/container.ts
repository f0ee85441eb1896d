/**
 * One container: made, attached to, started, asked how it is. Whoever has the lease says when it goes;
 * removals.ts removes it.
 */
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { containerOptions, type Confining, type ContainerSpec } from './container-options.js';
import { AFTERMATH_MS, END_KNOWN_MS } from './limits.js';
import type { Removals } from './removals.js';
import { EngineRefused, type ContainerState, type Runtime } from './runtime.js';

const MIN_POLL_MS = 20;

/** What it takes to make containers and to remove them. */
export interface ContainerDependencies {
  readonly runtime: Runtime;
  readonly confining: Confining;
  readonly removals: Removals;
}

/** A container in somebody's hands, to be given up once: with `retire` or with `discard`. */
export class ContainerLease {
  private starting: Promise<void> | undefined;
  private isRetired = false;

  constructor(
    private readonly name: string,
    /** Its stdin, and its output as Docker's frames. */
    readonly stream: Duplex,
    private readonly runtime: Runtime,
    private readonly removals: Removals,
  ) {}

  /** Starts it at the first call; further calls wait for that start. */
  start(signal?: AbortSignal): Promise<void> {
    return (this.starting ??= this.runtime.start(this.name, signal));
  }

  /** False as well if the engine does not say. */
  async isRunning(): Promise<boolean> {
    return this.inspect().then(
      ({ isRunning }) => isRunning,
      () => false,
    );
  }

  /** Whether it is of that image and runs as it was started. True if the engine does not say. */
  async isUntouched(imageId: string): Promise<boolean> {
    return this.inspect().then(
      ({ image, isUntouched }) => image === imageId && isUntouched,
      () => true,
    );
  }

  /** Whether it was made of that image. False if the engine does not say. */
  async isOf(imageId: string): Promise<boolean> {
    return this.inspect().then(
      ({ image }) => image === imageId,
      () => false,
    );
  }

  /** The engine hears of a container's end a little later than its stream does. */
  async stateOnceEnded(): Promise<ContainerState> {
    const deadlineMs = performance.now() + END_KNOWN_MS;
    for (let wait = MIN_POLL_MS; ; wait *= 2) {
      const state = await this.inspect();
      if (!state.isRunning || performance.now() + wait > deadlineMs) return state;
      await delay(wait);
    }
  }

  /** Has it removed soon, whatever it is doing. Does nothing after `retire`. */
  discard(): void {
    if (this.isRetired) return;
    this.stream.destroy();
    void this.removals.remove(this.name, AFTERMATH_MS);
  }

  /**
   * Has it removed at an idle time. Its launcher has sent the status and waits, unless other
   * processes are left in it: the engine is not kept busy with its end while the task goes on.
   */
  retire(): void {
    this.isRetired = true;
    void this.removals.retire(this.name).finally(() => this.stream.destroy());
  }

  private inspect(): Promise<ContainerState> {
    return this.runtime.inspect(this.name);
  }
}

/**
 * Makes a container and attaches to it; it is not started yet.
 * @throws {SandboxUnavailable} when the engine failed; the signal's reason on an abort. Then
 *   nothing is left of it.
 */
export async function makeContainer(
  { runtime, confining, removals }: ContainerDependencies,
  spec: ContainerSpec,
  signal?: AbortSignal,
): Promise<ContainerLease> {
  // Named here, so that it can be removed even when the engine's answer to its creation is lost.
  const name = `code-widgets-${randomUUID()}`;
  try {
    // Without the signal: a creation under way goes on in the engine, and would come after the removal.
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
