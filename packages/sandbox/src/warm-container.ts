/** A started container whose launcher has sent `ready` and nothing else. */
import pTimeout from 'p-timeout';
import type { ContainerSpec } from './container-options.js';
import { makeContainer, type ContainerDependencies, type ContainerLease } from './container.js';
import { createDockerReader, createLauncherReader } from './frames.js';
import type { Images } from './images.js';
import { PROTOCOL_VERSION } from './launcher-protocol.js';
import { READY_MS } from './limits.js';
import { ContainerLost } from './runtime.js';

export interface WarmDependencies extends ContainerDependencies {
  readonly images: Images;
}

type State = 'starting' | 'ready' | 'spoiled';

export class WarmContainer {
  readonly sinceMs = performance.now();
  /** All bytes so far, which the next reader parses again. */
  private readonly received: Buffer[] = [];
  private state: State = 'starting';
  private onState: () => void = () => undefined;

  private constructor(
    private readonly container: ContainerLease,
    /** The image's id just before creation. The container is made by name, so its image may be newer. */
    readonly imageId: string,
  ) {
    const readLauncher = createLauncherReader((frame) => {
      const isFirst = this.state === 'starting' && frame.type === 'ready' && frame.version === PROTOCOL_VERSION;
      this.enter(isFirst ? 'ready' : 'spoiled');
    });
    const readDocker = createDockerReader((name, bytes) => {
      if (name === 'stdout') readLauncher(bytes);
      else this.spoil();
    });
    this.onData = (bytes) => {
      this.received.push(bytes);
      try {
        readDocker(bytes);
      } catch {
        this.spoil();
      }
    };
    container.stream.on('data', this.onData);
    for (const event of ['end', 'close', 'error']) container.stream.on(event, this.spoil);
  }

  /** @throws as `makeContainer` and `start`; ContainerLost or TimeoutError if the launcher does not get ready. */
  static async make(dependencies: WarmDependencies, spec: ContainerSpec, signal: AbortSignal): Promise<WarmContainer> {
    const imageId = await dependencies.images.known(spec.profile.image);
    signal.throwIfAborted();
    const container = await makeContainer(dependencies, spec, signal);
    const warm = new WarmContainer(container, imageId);
    try {
      await container.start(signal);
      await pTimeout(warm.untilReady(), { milliseconds: READY_MS, signal });
      return warm;
    } catch (error) {
      warm.discard();
      throw error;
    }
  }

  /** Whether the connection stands, and the launcher has sent only `ready`. */
  get isAsMade(): boolean {
    return this.state === 'ready';
  }

  /** Also asks the engine about the image, and whether anybody paused, restarted or entered it. */
  async isUntouched(): Promise<boolean> {
    return this.isAsMade && (await this.container.isUntouched(this.imageId));
  }

  /** Returns the container with all received bytes still to be read; undefined, and discarded, unless it is as made. */
  handOver(): ContainerLease | undefined {
    if (!this.isAsMade) {
      this.discard();
      return undefined;
    }
    const { stream } = this.container;
    stream.off('data', this.onData).pause();
    stream.unshift(Buffer.concat(this.received));
    // The next reader adds these listeners itself. Without the listener for `error`, an error would end the process.
    for (const event of ['end', 'close'] as const) stream.off(event, this.spoil);
    return this.container;
  }

  discard(): void {
    this.container.discard();
  }

  private readonly onData: (bytes: Buffer) => void;
  private readonly spoil = () => this.enter('spoiled');

  private enter(state: State): void {
    this.state = state;
    this.onState();
  }

  private untilReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.onState = () => {
        if (this.state === 'ready') resolve();
        if (this.state === 'spoiled') reject(new ContainerLost('a container did not get ready'));
      };
      this.onState();
    });
  }
}
