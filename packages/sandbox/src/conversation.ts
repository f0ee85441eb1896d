/** What a step's launcher says, from the bytes of an attached container to how it ended. */
import type { Duplex } from 'node:stream';
import { ContainerLost } from './engine.js';
import { ByteCollector, type Executable } from './executable.js';
import { createDockerReader, createLauncherReader, InvalidFrame, type LauncherFrame, type OutputStream } from './frames.js';
import { PROTOCOL_VERSION } from './launcher-request.js';
import { DIAGNOSTICS_BYTES, EXECUTABLE_BYTES } from './limits.js';

export type OutputListener = (stream: OutputStream, bytes: Buffer) => void;
type StatusFrame = Extract<LauncherFrame, { type: 'status' }>;

/** All that a launcher has said until its status frame, its stream's end, or the end of patience. */
export interface Heard {
  ready: boolean;
  /** Undefined: the stream ended, or patience did, before the launcher said how the command ended. */
  status?: StatusFrame;
  /** What a build handed back; undefined when there was no such file, or an empty one. */
  executable?: Executable;
  /** The beginning of what the launcher (or the engine, starting it) wrote to stderr. */
  diagnostics: string;
}

export interface ListenOptions {
  onOutput: OutputListener;
  outputLimitBytes: number;
  handsBack: boolean;
}

/** Takes frames, holding them to what was asked for: a container is never trusted. */
class Ear {
  ready = false;
  status: StatusFrame | undefined;
  readonly #executable = new ByteCollector();
  readonly #executableLimit: number;
  #outputLeft: number;
  #diagnostics = Buffer.alloc(0);

  constructor(private readonly options: ListenOptions) {
    this.#executableLimit = options.handsBack ? EXECUTABLE_BYTES : 0;
    this.#outputLeft = options.outputLimitBytes;
  }

  diagnose(bytes: Buffer): void {
    this.#diagnostics = Buffer.concat([this.#diagnostics, bytes.subarray(0, DIAGNOSTICS_BYTES - this.#diagnostics.length)]);
  }

  take(frame: LauncherFrame): void {
    if (this.status !== undefined) return;
    switch (frame.type) {
      case 'ready':
        if (frame.version !== PROTOCOL_VERSION) throw new InvalidFrame(`version ${frame.version} of the frames`);
        this.ready = true;
        return;
      case 'stdout':
      case 'stderr':
        this.#outputLeft -= frame.bytes.length;
        if (this.#outputLeft < 0) throw new InvalidFrame('more output than was asked for');
        this.options.onOutput(frame.type, frame.bytes);
        return;
      case 'executable':
        this.#executable.add(frame.bytes);
        if (this.#executable.length > this.#executableLimit) throw new InvalidFrame('more of an executable than was asked for');
        return;
      case 'status':
        this.status = frame;
    }
  }

  heard(): Heard {
    return {
      ready: this.ready,
      diagnostics: this.#diagnostics.toString(),
      ...(this.status === undefined ? {} : { status: this.status }),
      ...(this.#executable.length === 0 ? {} : { executable: this.#executable.pieces() }),
    };
  }
}

/**
 * Listens from now on, whether or not the container has been started, until the status frame, the
 * stream's end, or an abort of `patience`. The stream is the caller's to destroy.
 * @throws {ContainerLost} on a frame that is none, or not one that was asked for; what
 *   `onOutput` throws.
 */
export function listen(stream: Duplex, options: ListenOptions, patience: AbortSignal): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const ear = new Ear(options);
    const readLauncher = createLauncherReader((frame) => ear.take(frame));
    const readDocker = createDockerReader((name, bytes) => {
      if (name === 'stdout') readLauncher(bytes);
      else ear.diagnose(bytes);
    });
    const settle = (): void => {
      stream.off('data', onData);
      resolve(ear.heard());
    };
    const onData = (chunk: Buffer): void => {
      try {
        readDocker(chunk);
        if (ear.status !== undefined) settle();
      } catch (error) {
        stream.off('data', onData);
        // After the status frame nothing counts, not even nonsense.
        if (ear.status !== undefined) return settle();
        const invalid = error instanceof InvalidFrame;
        reject(invalid ? new ContainerLost(`the container sent ${error.message}`, { cause: error }) : (error as Error));
      }
    };
    stream.on('data', onData);
    // One that was handed over is paused.
    stream.resume();
    for (const event of ['end', 'close', 'error']) stream.on(event, settle);
    if (patience.aborted) settle();
    else patience.addEventListener('abort', settle, { once: true });
  });
}
