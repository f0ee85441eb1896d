/** The container engine as this package sees it. docker-runtime.ts is the one implementation. */
import type { Duplex } from 'node:stream';
import type { ContainerCreateOptions } from 'dockerode';

/** The service's trouble, not the user's: worth another try, here later or by another worker. */
export class SandboxUnavailable extends Error {
  override readonly name: string = 'SandboxUnavailable';
}

/** The engine answers, but this container ended or spoke as none of ours does. The program in it may be the reason. */
export class ContainerLost extends SandboxUnavailable {}

/** The engine answered a call with an HTTP error. */
export class EngineRefused extends SandboxUnavailable {
  constructor(
    message: string,
    /** HTTP status. */
    readonly status: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface ContainerState {
  /** Id of the image. */
  readonly image: string;
  readonly isRunning: boolean;
  /** Running as it was started: not paused, restarted, or entered by anybody. */
  readonly isUntouched: boolean;
  /** True only after the container has ended. */
  readonly oomKilled: boolean;
  readonly exitCode: number;
  /** When it ended, in ms since the epoch by the engine's clock; NaN while it runs. */
  readonly finishedMs: number;
}

/** What the engine says of itself; a limit that it lacks is `false`. */
export interface EngineInfo {
  readonly MemoryLimit?: boolean;
  readonly SwapLimit?: boolean;
  readonly PidsLimit?: boolean;
  readonly CpuCfsQuota?: boolean;
  /** An ISO date. */
  readonly SystemTime?: string;
}

export interface ListedContainer {
  readonly id: string;
  /** In ms since the epoch, by the engine's clock. */
  readonly createdMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly hasExited: boolean;
}

/**
 * Containers are called by their names. Each call is given up after ENGINE_CALL_MS, or when its signal is aborted.
 * Each rejects with SandboxUnavailable (EngineRefused where the engine answered), or with the signal's reason.
 */
export interface Runtime {
  ping(): Promise<void>;
  info(): Promise<EngineInfo>;
  /** The id of the image that has this name now. */
  imageId(name: string): Promise<string>;
  create(name: string, options: ContainerCreateOptions): Promise<void>;
  /** Its stdin, and its output as Docker's frames. */
  attach(container: string, signal?: AbortSignal): Promise<Duplex>;
  start(container: string, signal?: AbortSignal): Promise<void>;
  inspect(container: string): Promise<ContainerState>;
  /** Also if it runs. Resolves if it is gone already. */
  remove(container: string): Promise<void>;
  /** Running or not. `label` is `name=value`. */
  list(label: string): Promise<ListedContainer[]>;
}
