/** The container of a job: everything that keeps a hostile program in it, in one place. */
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
/** Seconds from a container's creation after which no live worker can still want it. */
export const LIFETIME_LABEL = 'code-widgets.lifetime-s';

const PAGE_BYTES = 4096;
const NANO = 1e9;

function pageRounded(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

/** What is fixed once a container is made. */
export interface ContainerSpec {
  readonly profile: Profile;
  /** The tmpfs that holds all files. */
  readonly workspaceBytes: number;
  /** The longest time limit of its job. */
  readonly jobMs: number;
  /** How long it may wait for its job. */
  readonly waitMs: number;
}

/** Of a job that runs now. */
export function specOf(job: Job): ContainerSpec {
  return { profile: job.profile, workspaceBytes: workspaceBytes(job), jobMs: job.limits.timeMs, waitMs: 0 };
}

/** Of a container that waits for a job to which no more is sent than is usual. */
export function warmSpec(profile: Profile, waitMs = POOL_WAIT_MS): ContainerSpec {
  return { profile, workspaceBytes: workspaceBytes({ profile, files: [] }), jobMs: profile.longestJobMs, waitMs };
}

/**
 * What the command may write, and room for what is sent to it: for as much as is usual at least, so
 * that nearly all jobs can run in a container that was made before they were known.
 */
export function workspaceBytes({ profile, files, copyIn }: Pick<Job, 'profile' | 'files' | 'copyIn'>): number {
  const sent = filesToSend({ files, ...(copyIn && { copyIn }) }).map(({ contents }) => Buffer.byteLength(contents));
  if (copyIn !== undefined) sent.push(byteLength(copyIn.pieces));
  const sentBytes = sent.reduce((sum, bytes) => sum + pageRounded(bytes), 0);
  return profile.writableBytes + LAUNCHER_FILES_BYTES + Math.max(USUAL_FILES_BYTES, sentBytes);
}

/** From the command's start to where the worker no longer waits for the launcher's word, in ms. */
export function outerTimeLimitMs(timeLimitMs: number): number {
  return timeLimitMs + STEP_SLACK_MS;
}

/**
 * Creation, attachment and start, the wait, the job itself, the looks at its end, and the first attempt at
 * its removal.
 */
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
      // exec, since the program is there; a tmpfs has noexec otherwise.
      '/workspace': `rw,exec,nosuid,nodev,size=${size},nr_inodes=${INODES}`,
    },
    CapDrop: ['ALL'],
    // The launcher becomes the command's user and empties the bounding set. Then it has none left.
    CapAdd: ['SETPCAP', 'SETUID', 'SETGID'],
    SecurityOpt: ['no-new-privileges', `seccomp=${seccompProfile}`],
    NetworkMode: 'none',
    // Names in a /dev/shm must not meet those of another container.
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

/** What all containers of a sandbox have in common. */
export interface Confining {
  /** The profile's JSON text, as the engine gets it. */
  readonly seccompProfile: string;
  readonly namespace: string;
  /** One of the engine's runtimes; its default without it. */
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
    // Saves 300 ms of the start beside the network mode `none` alone.
    NetworkDisabled: true,
    OpenStdin: true,
    // The end of the worker's connection is the end of stdin, and so of the launcher.
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: isGvisor(confining.runtime) ? forGvisor(usual, spec.profile.processes) : usual,
  };
}
