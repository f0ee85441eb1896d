/** Reads the launcher's frames from a container's stream until the command has ended. */
import type { Duplex } from 'node:stream';
import { ByteCollector, type BytePieces } from './byte-pieces.js';
import { createDockerReader, createLauncherReader, InvalidFrame, type LauncherFrame } from './frames.js';
import type { ExecuteOptions } from './job.js';
import { PROTOCOL_VERSION } from './launcher-protocol.js';
import { DIAGNOSTICS_BYTES, EXECUTABLE_BYTES } from './limits.js';
import { ContainerLost } from './runtime.js';

type StatusFrame = Extract<LauncherFrame, { type: 'status' }>;

export interface LauncherResult {
  isReady: boolean;
  /** Missing if the stream ended, or reading was stopped, before the status frame. */
  status?: StatusFrame;
  /** The file that was handed back. Missing if there was none, or an empty one. */
  file?: BytePieces;
  /** The first DIAGNOSTICS_BYTES that the launcher, or the engine at its start, wrote to stderr. */
  diagnostics: string;
}

export interface ReadOptions extends Pick<ExecuteOptions, 'onOutput'> {
  outputLimitBytes: number;
  expectsFile: boolean;
}

/** Checks each frame, since a container is never trusted. */
class LauncherState {
  isReady = false;
  status: StatusFrame | undefined;
  private readonly file = new ByteCollector();
  private readonly fileLimit: number;
  private outputLeft: number;
  private diagnostics = Buffer.alloc(0);

  constructor(private readonly options: ReadOptions) {
    this.fileLimit = options.expectsFile ? EXECUTABLE_BYTES : 0;
    this.outputLeft = options.outputLimitBytes;
  }

  addDiagnostics(bytes: Buffer): void {
    this.diagnostics = Buffer.concat([
      this.diagnostics,
      bytes.subarray(0, DIAGNOSTICS_BYTES - this.diagnostics.length),
    ]);
  }

  handle(frame: LauncherFrame): void {
    if (this.status !== undefined) return;
    switch (frame.type) {
      case 'ready':
        if (frame.version !== PROTOCOL_VERSION) throw new InvalidFrame(`version ${frame.version} of the frames`);
        this.isReady = true;
        return;
      case 'stdout':
      case 'stderr':
        this.outputLeft -= frame.bytes.length;
        if (this.outputLeft < 0) throw new InvalidFrame('more output than was asked for');
        this.options.onOutput(frame.type, frame.bytes);
        return;
      case 'executable':
        this.file.add(frame.bytes);
        if (this.file.length > this.fileLimit) throw new InvalidFrame('more of an executable than was asked for');
        return;
      case 'status':
        this.status = frame;
    }
  }

  result(): LauncherResult {
    return {
      isReady: this.isReady,
      diagnostics: this.diagnostics.toString(),
      ...(this.status === undefined ? {} : { status: this.status }),
      ...(this.file.length === 0 ? {} : { file: this.file.pieces() }),
    };
  }
}

/**
 * Reads until the status frame, the stream's end, or an abort of `stop`. Does not destroy the stream. May be called
 * before the container starts.
 * @throws {ContainerLost} an invalid or unexpected frame. Passes on what `onOutput` throws.
 */
export function readLauncher(stream: Duplex, options: ReadOptions, stop: AbortSignal): Promise<LauncherResult> {
  return new Promise((resolve, reject) => {
    const state = new LauncherState(options);
    const readFrames = createLauncherReader((frame) => state.handle(frame));
    const readDocker = createDockerReader((name, bytes) => {
      if (name === 'stdout') readFrames(bytes);
      else state.addDiagnostics(bytes);
    });
    const settle = (): void => {
      stream.off('data', onData);
      resolve(state.result());
    };
    const onData = (chunk: Buffer): void => {
      try {
        readDocker(chunk);
        if (state.status !== undefined) settle();
      } catch (error) {
        stream.off('data', onData);
        // Bytes after the status frame are ignored, even invalid ones.
        if (state.status !== undefined) return settle();
        const invalid = error instanceof InvalidFrame;
        reject(invalid ? new ContainerLost(`the container sent ${error.message}`, { cause: error }) : (error as Error));
      }
    };
    stream.on('data', onData);
    // A warm container's stream is paused.
    stream.resume();
    for (const event of ['end', 'close', 'error']) stream.on(event, settle);
    if (stop.aborted) settle();
    else stop.addEventListener('abort', settle, { once: true });
  });
}
