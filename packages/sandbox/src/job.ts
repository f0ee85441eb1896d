/** A job is one command in one single-use container. Its profile describes the container. */
import type { BytePieces } from './byte-pieces.js';
import type { OutputStream } from './frames.js';
import type { Confinement } from './launcher-protocol.js';

export interface Profile {
  /** Unique in a sandbox. Shown in log lines and in the results of `inspect`. */
  readonly name: string;
  readonly image: string;
  /** Also decides the user: tools share one, each program gets one at random. */
  readonly confinement: Confinement;
  /** Variables of the command. A tool also gets those of its image; a program gets no others. */
  readonly environment: Readonly<Record<string, string>>;
  /** Of the container, its files included. */
  readonly memoryBytes: number;
  /** Maximum number of processes and threads, the launcher included. */
  readonly processes: number;
  /** What the command may write into files, on top of the files sent to it. */
  readonly writableBytes: number;
  /** Gives the command a private /dev/shm of 1 MiB, for named semaphores. */
  readonly sharedMemory?: boolean;
  /** The longest time limit of a job that may use a warm container. */
  readonly longestJobMs: number;
  /** Number of warm containers before the first job. */
  readonly minWarm: number;
}

export interface SourceFile {
  /** A plain file name of at most 255 bytes. */
  readonly basename: string;
  readonly contents: string;
}

export interface Job {
  readonly profile: Profile;
  /** The command's words. No shell reads them. */
  readonly argv: readonly string[];
  readonly files: readonly SourceFile[];
  /** Variables on top of the profile's. */
  readonly environment?: Readonly<Record<string, string>>;
  /** An executable file. It replaces a source file of the same name. */
  readonly copyIn?: { readonly basename: string; readonly pieces: BytePieces };
  /** Name of the file that the job hands back if its status is 0. */
  readonly copyOut?: string;
  readonly limits: {
    readonly timeMs: number;
    /** stdout and stderr together. */
    readonly outputBytes: number;
  };
}

export interface ExecuteOptions {
  /** Called in order, with the bytes as the command wrote them; never with an empty buffer. */
  onOutput: (stream: OutputStream, bytes: Buffer) => void;
  /** An abort removes the container, and the job rejects with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Id of the wanted image. A warm container must be of this image. A new container is made by the image's name, so
   * `ranInImage` says whether it is of this image.
   */
  imageId?: string;
}

export type LimitName = 'time' | 'memory' | 'output';

export interface JobResult {
  /** The command's exit status, 128 + signal for a signal, or the status of the limit. */
  status: number;
  limit?: LimitName;
  /** Number of the signal that ended the command, unless a limit did. */
  signal?: number;
  ms: number;
  commandMissing?: true;
  /** Missing if the job failed, or left no regular file of that name. */
  copiedOut?: BytePieces;
  /** Only with `imageId`. Also false if the engine does not answer. */
  ranInImage?: boolean;
}

/**
 * Runs a job to its end.
 * @throws {SandboxUnavailable} the engine or the container failed. RangeError: the launcher would refuse the job. On an
 *   abort, the signal's reason.
 */
export type Execute = (job: Job, options: ExecuteOptions) => Promise<JobResult>;

/** The statuses of timeout(1), SIGKILL and SIGXFSZ. */
export const LIMIT_STATUS: Readonly<Record<LimitName, number>> = { time: 124, memory: 137, output: 153 };
