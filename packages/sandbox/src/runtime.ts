/** The container engine as an interface. docker-runtime.ts implements it. */
import type { Duplex } from 'node:stream';
import type { ContainerCreateOptions } from 'dockerode';

/** The service failed, not the user's program. A retry may succeed. */
export class SandboxUnavailable extends Error {
  override readonly name: string = 'SandboxUnavailable';
}

/** A container ended unexpectedly or sent an invalid frame. Its program may be the reason. */
export class ContainerLost extends SandboxUnavailable {}

export class EngineRefused extends SandboxUnavailable {
  constructor(
    message: string,
    readonly status: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface ContainerState {
  readonly image: string;
  readonly isRunning: boolean;
  /** Running, and never paused, restarted or entered (docker exec). */
  readonly isUntouched: boolean;
  /** Known only after the container has ended. */
  readonly oomKilled: boolean;
  readonly exitCode: number;
  /** In ms since the epoch, by the engine's clock; NaN while it runs. */
  readonly finishedMs: number;
}

/** From `GET /info`. A limit that the engine cannot apply is `false`. */
export interface EngineInfo {
  readonly MemoryLimit?: boolean;
  readonly SwapLimit?: boolean;
  readonly PidsLimit?: boolean;
  readonly CpuCfsQuota?: boolean;
  /** ISO 8601. */
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
 * Calls take the container's name. Each call has a timeout of ENGINE_CALL_MS.
 * @throws {SandboxUnavailable} or, if the engine answered, its subclass EngineRefused; the signal's reason on an abort.
 */
export interface Runtime {
  ping(): Promise<void>;
  info(): Promise<EngineInfo>;
  imageId(name: string): Promise<string>;
  create(name: string, options: ContainerCreateOptions): Promise<void>;
  /** The stream carries stdin, and output in Docker's framing. */
  attach(container: string, signal?: AbortSignal): Promise<Duplex>;
  start(container: string, signal?: AbortSignal): Promise<void>;
  inspect(container: string): Promise<ContainerState>;
  /** Removes it even while it runs. Resolves if it does not exist. */
  remove(container: string): Promise<void>;
  /** Also lists stopped containers. `label` is `name=value`. */
  list(label: string): Promise<ListedContainer[]>;
}
