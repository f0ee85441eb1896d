/** A container whose launcher has said that it is ready, and nothing else. */
import type { ContainerShape } from './container-options.js';
import { makeContainer, type Engine, type StepContainer } from './container.js';
import { ContainerLost } from './engine.js';
import { createDockerReader, createLauncherReader } from './frames.js';
import { PROTOCOL_VERSION } from './launcher-request.js';
import { READY_MS } from './limits.js';

const ENDS = ['end', 'close', 'error'] as const;

export class WaitingContainer {
  readonly sinceMs = performance.now();
  /** What has come, for whoever listens next. */
  readonly #said: Buffer[] = [];
  #isReady = false;
  #isSpoilt = false;
  #onChange: () => void = () => undefined;

  private constructor(
    private readonly container: StepContainer,
    /** What its kind's image was known to be when it was made: by its name, so at times it is of a newer one. */
    readonly imageId: string,
  ) {
    const readLauncher = createLauncherReader((frame) => {
      this.#isSpoilt ||= this.#isReady || frame.type !== 'ready' || frame.version !== PROTOCOL_VERSION;
      this.#isReady = true;
    });
    const readDocker = createDockerReader((name, bytes) => {
      if (name === 'stdout') readLauncher(bytes);
      else this.#isSpoilt = true;
    });
    this.#hear = (bytes) => {
      this.#said.push(bytes);
      try {
        readDocker(bytes);
      } catch {
        this.#isSpoilt = true;
      }
      this.#onChange();
    };
    container.stream.on('data', this.#hear);
    for (const event of ENDS) container.stream.on(event, this.#spoil);
  }

  /** @throws what making and starting it throws; ContainerLost for one that does not get ready. */
  static async make(engine: Engine, shape: ContainerShape, signal: AbortSignal): Promise<WaitingContainer> {
    const imageId = await engine.images.known(shape.kind);
    signal.throwIfAborted();
    const container = await makeContainer(engine, shape, signal);
    const waiting = new WaitingContainer(container, imageId);
    try {
      await container.start(signal);
      await waiting.#untilReady(signal);
      return waiting;
    } catch (error) {
      waiting.dispose();
      throw error;
    }
  }

  /** Its connection stands, and its launcher has said nothing since it was ready. */
  get isAsMade(): boolean {
    return this.#isReady && !this.#isSpoilt;
  }

  /** The engine knows of nothing that was done to it since, and of no other image. */
  async isUntouched(): Promise<boolean> {
    return this.isAsMade && (await this.container.isUntouched(this.imageId));
  }

  /** The container, with all that it has said still to be heard; undefined if it is not as it was made, and then it is gone. */
  handOver(): StepContainer | undefined {
    if (!this.isAsMade) {
      this.dispose();
      return undefined;
    }
    const { stream } = this.container;
    stream.off('data', this.#hear).pause();
    stream.unshift(Buffer.concat(this.#said));
    // Whoever has it now listens for these as well; until then an error has to have somebody.
    for (const event of ['end', 'close'] as const) stream.off(event, this.#spoil);
    return this.container;
  }

  dispose(): void {
    this.container.dispose();
  }

  readonly #hear: (bytes: Buffer) => void;
  readonly #spoil = () => {
    this.#isSpoilt = true;
    this.#onChange();
  };

  async #untilReady(signal: AbortSignal): Promise<void> {
    let lost = (): void => undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        lost = () => reject(new ContainerLost('a container did not get ready'));
        // Not AbortSignal.timeout, which AbortSignal.any lets go of if nobody else holds it.
        timer = setTimeout(lost, READY_MS);
        signal.addEventListener('abort', lost);
        this.#onChange = () => {
          if (this.isAsMade) resolve();
          else if (this.#isSpoilt) lost();
        };
        this.#onChange();
        if (signal.aborted) lost();
      });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', lost);
    }
  }
}
