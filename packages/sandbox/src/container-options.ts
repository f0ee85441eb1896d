/** Every option that confines a job's container. */
import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import { byteLength } from './byte-pieces.js';
import { forGvisor, isGvisor } from './gvisor.js';
import type { Job, Profile } from './job.js';
import { filesToSend } from './launcher-request.js';
import {
  CPUS,
  END_KNOWN_MS,
  ENGINE_CALL_MS,
  INODES,
  LAST_WORDS_MS,
  LAUNCHER_FILES_BYTES,
  OPEN_FILES,
  POOL_REVIEW_MS,
  POOL_WAIT_MS,
  SHARED_MEMORY_BYTES,
  STEP_SLACK_MS,
  USUAL_FILES_BYTES,
} from './limits.js';

export const NAMESPACE_LABEL = 'code-widgets.namespace';
/** Label: seconds from a container's creation until no live worker needs it. */
export const LIFETIME_LABEL = 'code-widgets.lifetime-s';

const PAGE_BYTES = 4096;
const NANO = 1e9;

function pageRounded(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

export interface ContainerSpec {
  readonly profile: Profile;
  /** Size of the tmpfs that holds all files. */
  readonly workspaceBytes: number;
  /** The longest time limit of a job that it may run. */
  readonly jobMs: number;
  /** How long it may wait for a job. */
  readonly waitMs: number;
}

export function specOf(job: Job): ContainerSpec {
  return { profile: job.profile, workspaceBytes: workspaceBytes(job), jobMs: job.limits.timeMs, waitMs: 0 };
}

/** A warm container has room for files of usual size. */
export function warmSpec(profile: Profile, waitMs = POOL_WAIT_MS): ContainerSpec {
  return { profile, workspaceBytes: workspaceBytes({ profile, files: [] }), jobMs: profile.longestJobMs, waitMs };
}

/** Bytes that the command may write, plus room for sent files: enough that nearly all jobs fit a warm container. */
export function workspaceBytes({ profile, files, copyIn }: Pick<Job, 'profile' | 'files' | 'copyIn'>): number {
  const sent = filesToSend({ files, ...(copyIn && { copyIn }) }).map(({ contents }) => Buffer.byteLength(contents));
  if (copyIn !== undefined) sent.push(byteLength(copyIn.pieces));
  const sentBytes = sent.reduce((sum, bytes) => sum + pageRounded(bytes), 0);
  return profile.writableBytes + LAUNCHER_FILES_BYTES + Math.max(USUAL_FILES_BYTES, sentBytes);
}

/** From the command's start until the worker removes the container without asking the launcher. */
export function outerTimeLimitMs(timeLimitMs: number): number {
  return timeLimitMs + STEP_SLACK_MS;
}

/** Upper bound: creation, attach and start, the wait for a job, the job, the checks at its end, and one removal. */
function lifetimeSeconds({ jobMs, waitMs }: ContainerSpec): number {
  return Math.ceil(
    (waitMs +
      (waitMs > 0 ? POOL_REVIEW_MS : 0) +
      outerTimeLimitMs(jobMs) +
      LAST_WORDS_MS +
      END_KNOWN_MS +
      5 * ENGINE_CALL_MS) /
      1000,
  );
}

function hostConfig(
  { profile, workspaceBytes: size }: ContainerSpec,
  { seccompProfile, runtime }: Confining,
): HostConfig {
  const { memoryBytes, processes, sharedMemory } = profile;
  return {
    ...(runtime !== undefined && { Runtime: runtime }),
    ReadonlyRootfs: true,
    Tmpfs: {
      // The program is executed there, and a tmpfs is noexec by default.
      '/workspace': `rw,exec,nosuid,nodev,size=${size},nr_inodes=${INODES}`,
    },
    CapDrop: ['ALL'],
    // The launcher changes its user and empties the bounding set; then it drops these three.
    CapAdd: ['SETPCAP', 'SETUID', 'SETGID'],
    SecurityOpt: ['no-new-privileges', `seccomp=${seccompProfile}`],
    NetworkMode: 'none',
    // Shared memory must not be visible to another container.
    IpcMode: sharedMemory ? 'private' : 'none',
    ...(sharedMemory && { ShmSize: SHARED_MEMORY_BYTES }),
    Memory: memoryBytes,
    MemorySwap: memoryBytes,
    PidsLimit: processes,
    NanoCpus: CPUS * NANO,
    Ulimits: [
      { Name: 'nofile', Soft: OPEN_FILES, Hard: OPEN_FILES },
      { Name: 'core', Soft: 0, Hard: 0 },
      { Name: 'msgqueue', Soft: 0, Hard: 0 },
    ],
    LogConfig: { Type: 'none', Config: {} },
  };
}

export interface Confining {
  /** The seccomp profile as JSON text. */
  readonly seccompProfile: string;
  readonly namespace: string;
  /** A runtime that the engine knows; the engine's default if missing. */
  readonly runtime?: string;
}

export function containerOptions(spec: ContainerSpec, confining: Confining): ContainerCreateOptions {
  const usual = hostConfig(spec, confining);
  return {
    Image: spec.profile.image,
    Labels: {
      [NAMESPACE_LABEL]: confining.namespace,
      [LIFETIME_LABEL]: String(lifetimeSeconds(spec)),
    },
    // Saves 300 ms of each start, compared with the network mode `none` alone.
    NetworkDisabled: true,
    OpenStdin: true,
    // When the worker's connection ends, stdin ends, and the launcher exits.
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: isGvisor(confining.runtime) ? forGvisor(usual, spec.profile.processes) : usual,
  };
}
