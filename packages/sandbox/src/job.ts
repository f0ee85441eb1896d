/** A job is one command in one single-use container. Its profile describes the container. */
import type { BytePieces } from './byte-pieces.js';
import type { OutputStream } from './frames.js';
import type { Confinement } from './launcher-protocol.js';

export interface Profile {
  /** Unique in a sandbox; shown in log lines and in the results of `inspect`. */
  readonly name: string;
  /** Name of the image. */
  readonly image: string;
  /** Also decides the user: tools share one, each program gets one drawn at random. */
  readonly confinement: Confinement;
  /** Variables of the command. A tool also has those of its image; a program has no others. */
  readonly environment: Readonly<Record<string, string>>;
  /** Memory of the container, its files included. */
  readonly memoryBytes: number;
  /** Maximum number of processes and threads, the launcher included. */
  readonly processes: number;
  /** What the command may write into files, on top of the files that are sent to it. */
  readonly writableBytes: number;
  /** Gives the command a small /dev/shm of its own, for named semaphores. */
  readonly sharedMemory?: boolean;
  /** The longest time limit of a job that may get a warm container. */
  readonly longestJobMs: number;
  /** How many containers are warm before the first job. */
  readonly minWarm: number;
}

export interface SourceFile {
  /** A plain file name of at most 255 bytes. */
  readonly basename: string;
  readonly contents: string;
}

export interface Job {
  readonly profile: Profile;
  /** The command, one entry a word. No shell reads it. */
  readonly argv: readonly string[];
  readonly files: readonly SourceFile[];
  /** Variables on top of the profile's. */
  readonly environment?: Readonly<Record<string, string>>;
  /** An executable file. A source file of the same name is not sent. */
  readonly copyIn?: { readonly basename: string; readonly pieces: BytePieces };
  /** Name of the file that a job with status 0 hands back. */
  readonly copyOut?: string;
  readonly limits: {
    readonly timeMs: number;
    /** stdout and stderr together. */
    readonly outputBytes: number;
  };
}

export interface ExecuteOptions {
  /** Called in order, with the bytes exactly as they were written; never with none. */
  onOutput: (stream: OutputStream, bytes: Buffer) => void;
  /** An abort removes the container; the job rejects with the signal's reason. */
  signal?: AbortSignal;
  /**
   * The image's id. A warm container is then one of this image, and the result says whether the
   * container was made of it: the engine goes by the name, which may have moved.
   */
  imageId?: string;
}

export type LimitName = 'time' | 'memory' | 'output';

export interface JobResult {
  /** The command's exit status, 128 + signal for a signal, or the status of the limit. */
  status: number;
  limit?: LimitName;
  /** Number of the signal that ended the command, if no limit did. */
  signal?: number;
  /** Run time of the command. */
  ms: number;
  /** The image has no such command. */
  commandMissing?: true;
  /** Missing after a job that failed or left no regular file of that name. */
  copiedOut?: BytePieces;
  /** Only where `imageId` was given. False also if the engine does not say. */
  ranInImage?: boolean;
}

/**
 * Runs a job to its end.
 * @throws {SandboxUnavailable} the engine or the container failed, through no fault of the command;
 *   RangeError for a job that no launcher takes; the signal's reason on an abort.
 */
export type Execute = (job: Job, options: ExecuteOptions) => Promise<JobResult>;

/** As timeout(1), SIGKILL and SIGXFSZ have them. */
export const LIMIT_STATUS: Readonly<Record<LimitName, number>> = { time: 124, memory: 137, output: 153 };
