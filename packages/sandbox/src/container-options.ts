/** The container of a step: everything that keeps a hostile program in it, in one place. */
import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import { byteLength } from './executable.js';
import { forGvisor, isGvisor } from './gvisor.js';
import type { LauncherRequest, StepKind } from './launcher-request.js';
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
  TOOL_FILES_BYTES,
  USUAL_PROGRAM_BYTES,
  type ContainerLimits,
} from './limits.js';

export const NAMESPACE_LABEL = 'code-widgets.namespace';
/** Seconds from a container's creation after which no live worker can still want it. */
export const LIFETIME_LABEL = 'code-widgets.lifetime-s';

const PAGE_BYTES = 4096;
const NANO = 1e9;

function pageRounded(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

/** What differs from container to container, and is fixed once one is made. */
export interface ContainerShape {
  readonly kind: StepKind;
  /** The tmpfs that holds all files. */
  readonly workspaceBytes: number;
  /** The longest that its step may take. */
  readonly stepMs: number;
  /** How long it may wait for that step. */
  readonly waitMs: number;
}

/** Of a step that is asked for now. */
export function shapeOf(request: LauncherRequest, limits: ContainerLimits): ContainerShape {
  return { kind: request.kind, workspaceBytes: workspaceBytes(request, limits), stepMs: request.timeLimitMs, waitMs: 0 };
}

/** Of a container that waits up to `waitMs` for a step of at most `stepMs`, with no more sent to it than is usual. */
export function waitingShape(kind: StepKind, stepMs: number, limits: ContainerLimits, waitMs = POOL_WAIT_MS): ContainerShape {
  return { kind, workspaceBytes: workspaceBytes({ kind, files: [] }, limits), stepMs, waitMs };
}

/**
 * For a program, what it may write on top of what is sent to it, and of that as much as is usual at
 * least: so that nearly all programs can run in a container that was made before they were known.
 */
export function workspaceBytes(request: Pick<LauncherRequest, 'kind' | 'files' | 'executable'>, { programFilesBytes }: ContainerLimits): number {
  if (request.kind !== 'run') return TOOL_FILES_BYTES;
  const sent = filesToSend(request).map(({ contents }) => Buffer.byteLength(contents));
  if (request.executable !== undefined) sent.push(byteLength(request.executable.pieces));
  return programFilesBytes + LAUNCHER_FILES_BYTES + Math.max(USUAL_PROGRAM_BYTES, sent.reduce((sum, bytes) => sum + pageRounded(bytes), 0));
}

/** From the command's start to where the worker no longer waits for the launcher's word, in ms. */
export function outerTimeLimitMs(timeLimitMs: number): number {
  return timeLimitMs + STEP_SLACK_MS;
}

/** Creation, attachment and start, the wait, the step itself, the looks at its end, and the first attempt at its removal. */
function lifetimeSeconds({ stepMs, waitMs }: ContainerShape): number {
  return Math.ceil((waitMs + (waitMs > 0 ? POOL_REVIEW_MS : 0) + outerTimeLimitMs(stepMs) + LAST_WORDS_MS + END_KNOWN_MS + 5 * ENGINE_CALL_MS) / 1000);
}

function hostConfig({ kind, workspaceBytes: size }: ContainerShape, { seccompProfile, limits, runtime }: ContainerContext): HostConfig {
  const proving = kind === 'prove';
  const memory = proving ? limits.proveMemoryBytes : limits.memoryBytes;
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
    // gnatprove needs a /dev/shm, whose names must not meet those of another container.
    IpcMode: proving ? 'private' : 'none',
    ...(proving ? { ShmSize: SHARED_MEMORY_BYTES } : {}),
    Memory: memory,
    MemorySwap: memory,
    PidsLimit: limits.processes,
    NanoCpus: CPUS * NANO,
    Ulimits: [
      { Name: 'nofile', Soft: OPEN_FILES, Hard: OPEN_FILES },
      { Name: 'core', Soft: 0, Hard: 0 },
      { Name: 'msgqueue', Soft: 0, Hard: 0 },
    ],
    LogConfig: { Type: 'none', Config: {} },
  };
}

export interface ContainerContext {
  images: Record<StepKind, string>;
  /** As the engine gets it: for gVisor, with what it takes there. */
  seccompProfile: string;
  namespace: string;
  limits: ContainerLimits;
  /** One of the engine's runtimes; its default without it. */
  runtime?: string;
}

export function containerOptions(shape: ContainerShape, context: ContainerContext): ContainerCreateOptions {
  const usual = hostConfig(shape, context);
  return {
    Image: context.images[shape.kind],
    Labels: {
      [NAMESPACE_LABEL]: context.namespace,
      [LIFETIME_LABEL]: String(lifetimeSeconds(shape)),
    },
    // Saves 300 ms of the start beside the network mode `none` alone.
    NetworkDisabled: true,
    OpenStdin: true,
    // The end of the worker's connection is the end of stdin, and so of the launcher.
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: isGvisor(context.runtime) ? forGvisor(usual, context.limits) : usual,
  };
}
