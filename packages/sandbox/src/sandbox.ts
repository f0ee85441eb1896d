/** What a worker asks for: commands, each run in a container of its own that is gone afterwards. */
import { BuildCache } from './build-cache.js';
import { createBuilder } from './build-step.js';
import { IdleGate } from './idle-gate.js';
import { waitingShape, workspaceBytes, type ContainerContext, type ContainerShape } from './container-options.js';
import type { Engine } from './container.js';
import { createEngine, engineCall } from './engine.js';
import type { Executable } from './executable.js';
import { isGvisor, withPtrace } from './gvisor.js';
import { Images } from './images.js';
import { faultsOf, parseReport, type EngineAbilities } from './inspection.js';
import type { LauncherRequest, SourceFile, StepKind } from './launcher-request.js';
import { findLeftovers } from './leftovers.js';
import { BUILD_TIME_MS, CONTAINER_LIMITS, INODES, INSPECTION_BYTES, INSPECTION_MS, PROVE_TIME_MS, RUN_TIME_MS, type ContainerLimits } from './limits.js';
import type { Log } from './log.js';
import { Pool } from './pool.js';
import { Removals } from './removals.js';
import { runStep, type BuildEnd, type StepEnd, type StepOptions, type Workshop } from './step.js';

export * as limits from './limits.js';
export { CONTAINER_LIMITS, type ContainerLimits } from './limits.js';
export { ContainerLost, SandboxUnavailable } from './engine.js';
export type { OutputListener } from './conversation.js';
export type { Executable } from './executable.js';
export type { SourceFile } from './launcher-request.js';
export type { BuildEnd, LimitName, StepEnd, StepOptions } from './step.js';

export interface SandboxOptions {
  /** As DOCKER_HOST; unix:///var/run/docker.sock without it. */
  dockerHost?: string;
  /** As DOCKER_CERT_PATH: the folder of ca.pem, cert.pem and key.pem. */
  dockerCertPath?: string;
  /** The image that builds and proves. */
  buildImage: string;
  /** The image that runs what was built. */
  runImage: string;
  /** The seccomp profile's JSON text. */
  seccompProfile: string;
  /** The label of every container; leftovers are looked for within it. */
  namespace: string;
  /** The name under which the engine knows the runtime, `runsc` say; the engine's default without it. */
  runtime?: string;
  /** The contract's without it. */
  limits?: ContainerLimits;
  /** The most containers of each kind that are made ahead; none without it. */
  preparedContainers?: number;
  /** How long one of them waits before a newer one takes its place. */
  preparedWaitMs?: number;
  /** Where builds are kept, and how many bytes of them; nowhere without it. */
  buildCache?: { folder: string; maxBytes: number };
  /** The longest that a step of each kind is given, in ms; a step that is given more has a container of its own made. */
  longestStepsMs?: Record<StepKind, number>;
  log: Log;
}

export interface BuildRequest {
  command: string[];
  files: SourceFile[];
  /**
   * Let gprbuild find its configuration, which costs 250 ms. For a project without languages: with
   * the image's prepared one, gprbuild does not notice that there is nothing to build.
   */
  findConfiguration?: boolean;
  /** The file that a build of status 0 hands back. */
  executable?: string;
}

export interface RunRequest {
  executable: Executable;
  /** `./` and the executable's name, then the arguments, each as it is one word of argv. */
  command: string[];
  files: SourceFile[];
}

export interface ProveRequest {
  command: string[];
  files: SourceFile[];
}

/**
 * Every step rejects with SandboxUnavailable when the service's machinery failed, with RangeError
 * for a request that no launcher would take, and with the signal's reason when it was aborted.
 */
export interface Sandbox {
  /** @throws {SandboxUnavailable} engine out of reach or an image missing, and what to do about it. */
  check(): Promise<void>;
  /**
   * Makes one container of each kind and looks into it: what does not hold, each in a sentence with
   * what to do. None if a hostile program may come.
   */
  inspect(): Promise<string[]>;
  /**
   * Of the image that has the kind's name now.
   * @throws as `check`.
   */
  imageId(kind: StepKind): Promise<string>;
  build(request: BuildRequest, options: StepOptions): Promise<BuildEnd>;
  run(request: RunRequest, options: StepOptions): Promise<StepEnd>;
  prove(request: ProveRequest, options: StepOptions): Promise<StepEnd>;
  /** Removes the containers of dead workers, and says how many; safe beside live ones. */
  removeLeftovers(): Promise<number>;
  /** Removes what waits, and waits for the removals under way. Steps are the caller's to end first. */
  close(): Promise<void>;
}

const LONGEST_STEPS_MS = { build: BUILD_TIME_MS, run: RUN_TIME_MS, prove: PROVE_TIME_MS };

/** @throws {RangeError} a `dockerHost` that is no engine's address; SyntaxError for a profile that is no JSON. */
export function createSandbox(options: SandboxOptions): Sandbox {
  const { buildImage, runImage, namespace, runtime, limits = CONTAINER_LIMITS, log } = options;
  const docker = createEngine(options);
  const idle = new IdleGate();
  const removals = new Removals(docker, idle, log);
  const names = { build: buildImage, prove: buildImage, run: runImage };
  const images = new Images(docker, names);
  const seccompProfile = isGvisor(runtime) ? withPtrace(options.seccompProfile) : options.seccompProfile;
  const context: ContainerContext = { images: names, seccompProfile, namespace, limits, ...(runtime !== undefined && { runtime }) };
  const engine: Engine = { docker, context, images, removals, idle };
  const pool = options.preparedContainers ? new Pool(engine, { most: options.preparedContainers, shapes: shapes(options) }) : undefined;
  const workshop: Workshop = { ...engine, log, ...(pool && { pool }) };
  const cache = options.buildCache && new BuildCache({ ...options.buildCache, log });
  const build = createBuilder(workshop, cache);

  return {
    async check() {
      await engineCall('answer', () => docker.ping());
      for (const kind of ['build', 'run'] as const) await images.current(kind);
    },
    async inspect() {
      const info: unknown = await engineCall('describe itself', () => docker.info());
      const faults = (['build', 'run', 'prove'] as const).map((kind) => inspectKind(workshop, kind, info as EngineAbilities));
      return (await Promise.all(faults)).flat();
    },
    imageId: (kind) => images.current(kind),
    async build({ command, files, executable, findConfiguration = false }, step) {
      const handBack = executable === undefined ? {} : { handBack: executable };
      return build({ kind: 'build', ...limitsOf(step), command, files, findConfiguration, ...handBack }, step);
    },
    async run({ executable: pieces, command, files }, step) {
      const executable = { basename: executableName(command), pieces };
      return runStep(workshop, { kind: 'run', ...limitsOf(step), roomBytes: limits.programFilesBytes, command, files, executable }, step);
    },
    async prove({ command, files }, step) {
      return runStep(workshop, { kind: 'prove', ...limitsOf(step), command, files }, step);
    },
    async removeLeftovers() {
      await removals.removeLeft();
      const leftovers = await findLeftovers(docker, namespace);
      const removed = await Promise.all(leftovers.map((id) => removals.remove(id)));
      return removed.filter(Boolean).length;
    },
    async close() {
      await pool?.close();
      await cache?.settled();
      await removals.settled();
      await removals.removeLeft([]); // each had its retries: a worker that ends has no time for more
    },
  };
}

function shapes({ longestStepsMs: longest = LONGEST_STEPS_MS, limits = CONTAINER_LIMITS, preparedWaitMs }: SandboxOptions): Record<StepKind, ContainerShape> {
  const shape = (kind: StepKind) => waitingShape(kind, longest[kind], limits, preparedWaitMs);
  return { build: shape('build'), run: shape('run'), prove: shape('prove') };
}

/** The faults of one kind of container. */
async function inspectKind(workshop: Workshop, kind: StepKind, engine: EngineAbilities): Promise<string[]> {
  const { limits, runtime } = workshop.context;
  const bounds = { timeLimitMs: INSPECTION_MS, outputLimitBytes: INSPECTION_BYTES };
  const request: LauncherRequest = { kind, ...bounds, command: ['inspection'], files: [], inspect: true };
  let text = '';
  await runStep(workshop, request, { ...bounds, onOutput: (_, bytes) => void (text += bytes.toString('latin1')) });
  return faultsOf(parseReport(text), engine, { kind, limits, workspaceBytes: workspaceBytes(request, limits), inodes: INODES, gvisor: isGvisor(runtime) });
}

function limitsOf({ timeLimitMs, outputLimitBytes }: StepOptions) {
  return { timeLimitMs, outputLimitBytes };
}

function executableName([first = '']: string[]): string {
  if (!first.startsWith('./')) throw new RangeError(`not a program in the workspace: ${first}`);
  return first.slice(2);
}
