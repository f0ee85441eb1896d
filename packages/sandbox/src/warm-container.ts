/** A container whose launcher has said that it is ready, and nothing else. */
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
  /** What has come, for the next reader. */
  private readonly received: Buffer[] = [];
  private state: State = 'starting';
  private onState: () => void = () => undefined;

  private constructor(
    private readonly container: ContainerLease,
    /** What the image was known to be before it was made. It is made by name, so at times of a newer image. */
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

  /** @throws what making and starting it throws; ContainerLost or TimeoutError for one that does not get ready. */
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

  /** Its connection stands, and its launcher has sent nothing since it was ready. */
  get isAsMade(): boolean {
    return this.state === 'ready';
  }

  /** The engine knows of nothing that was done to it since, and of no other image. */
  async isUntouched(): Promise<boolean> {
    return this.isAsMade && (await this.container.isUntouched(this.imageId));
  }

  /**
   * The container, with all that it has sent still to be read; undefined if it is not as it was made, and
   * then it is discarded.
   */
  handOver(): ContainerLease | undefined {
    if (!this.isAsMade) {
      this.discard();
      return undefined;
    }
    const { stream } = this.container;
    stream.off('data', this.onData).pause();
    stream.unshift(Buffer.concat(this.received));
    // The next reader listens for these as well. The listener for `error` stays: without one, an error would
    // end the process.
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
