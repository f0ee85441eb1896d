/** The package's entry. Runs each job in a single-use container. */
import { BuildCache } from './build-cache.js';
import { withCache, type CachePolicy } from './cached-execute.js';
import { specOf, warmSpec, type Confining } from './container-options.js';
import { createDockerRuntime } from './docker-runtime.js';
import { execute, type ExecuteDependencies } from './execute.js';
import { isGvisor, withPtrace } from './gvisor.js';
import { IdleGate } from './idle-gate.js';
import { Images } from './images.js';
import { faultsOf, parseReport } from './inspection.js';
import type { Execute, Job, Profile } from './job.js';
import { findLeftovers } from './leftovers.js';
import { INSPECTION_BYTES, INSPECTION_MS } from './limits.js';
import type { Log } from './log.js';
import { Removals } from './removals.js';
import type { EngineInfo, Runtime } from './runtime.js';
import { WarmPool } from './warm-pool.js';

export type { BytePieces } from './byte-pieces.js';
export type { CachePolicy } from './cached-execute.js';
export type { Execute, ExecuteOptions, Job, JobResult, LimitName, Profile } from './job.js';
export { SCRATCH, WORKSPACE } from './launcher-protocol.js';
export { EXECUTABLE_BYTES, IMAGE_KNOWN_MS, POOL_WAIT_MS } from './limits.js';
export { createDockerRuntime } from './docker-runtime.js';
export { ContainerLost, SandboxUnavailable, type Runtime } from './runtime.js';

export interface SandboxOptions {
  /** Same as DOCKER_HOST; default unix:///var/run/docker.sock. */
  dockerHost?: string;
  /** Same as DOCKER_CERT_PATH: the folder of ca.pem, cert.pem and key.pem. */
  dockerCertPath?: string;
  /** All profiles that jobs will use. */
  profiles: readonly Profile[];
  /** The seccomp profile as JSON text. */
  seccompProfile: string;
  /** A label of each container, by which `removeLeftovers` finds it. */
  namespace: string;
  /** The engine's name for the runtime, for example `runsc`; its default if missing. */
  runtime?: string;
  /** Maximum number of warm containers for each profile; missing or 0: none. */
  maxWarm?: number;
  /** How long a container stays warm; default POOL_WAIT_MS. */
  warmMs?: number;
  /** The cache of results; if missing, nothing is cached. */
  cache?: { folder: string; maxBytes: number; policy: CachePolicy };
  log: Log;
}

/** All methods reject with SandboxUnavailable if the engine is unavailable or an image is missing. */
export interface Sandbox {
  readonly execute: Execute;
  /** Resolves if the engine answers and all images exist. */
  check(): Promise<void>;
  /** Inspects one container of each profile. Resolves to one sentence for each fault: then no program may run. */
  inspect(): Promise<string[]>;
  imageId(image: string): Promise<string>;
  /** Removes containers of dead workers, never those of live ones. Resolves to their number. */
  removeLeftovers(): Promise<number>;
  /** Removes warm containers, and waits for removals. The caller ends all jobs first. */
  close(): Promise<void>;
}

/** @throws {RangeError} `dockerHost` is invalid. SyntaxError: the seccomp profile is not JSON. */
export function createSandbox(options: SandboxOptions, runtime: Runtime = createDockerRuntime(options)): Sandbox {
  const { profiles, namespace, runtime: runtimeName, log, cache: cacheOptions } = options;
  const idle = new IdleGate();
  const images = new Images(runtime);
  const removals = new Removals(runtime, idle, log);
  const seccompProfile = isGvisor(runtimeName) ? withPtrace(options.seccompProfile) : options.seccompProfile;
  const confining: Confining = {
    seccompProfile,
    namespace,
    ...(runtimeName !== undefined && { runtime: runtimeName }),
  };
  const containers = { runtime, confining, removals, images, idle };
  const specs = profiles.map((profile) => warmSpec(profile, options.warmMs));
  const pool = options.maxWarm ? new WarmPool(containers, { maxWarm: options.maxWarm, specs }) : undefined;
  const dependencies: ExecuteDependencies = { ...containers, log, ...(pool && { pool }) };
  const cache = cacheOptions && new BuildCache({ ...cacheOptions, log });
  const uncached: Execute = (job, jobOptions) => execute(dependencies, job, jobOptions);

  return {
    execute: cache ? withCache(uncached, { cache, policy: cacheOptions.policy, images, confining, log }) : uncached,
    async check() {
      await runtime.ping();
      for (const image of new Set(profiles.map((profile) => profile.image))) await images.current(image);
    },
    async inspect() {
      const info = await runtime.info();
      return (await Promise.all(profiles.map((profile) => inspectProfile(dependencies, profile, info)))).flat();
    },
    imageId: (image) => images.current(image),
    async removeLeftovers() {
      const leftovers = await findLeftovers(runtime, namespace);
      const removed = await Promise.all(leftovers.map((id) => removals.remove(id)));
      return removed.filter(Boolean).length;
    },
    async close() {
      await pool?.close();
      await cache?.written();
      await removals.settled();
    },
  };
}

async function inspectProfile(
  dependencies: ExecuteDependencies,
  profile: Profile,
  engine: EngineInfo,
): Promise<string[]> {
  const limits = { timeMs: INSPECTION_MS, outputBytes: INSPECTION_BYTES };
  const job: Job = { profile, argv: ['inspection'], files: [], limits };
  let text = '';
  await execute(dependencies, job, { inspect: true, onOutput: (_, bytes) => void (text += bytes.toString('latin1')) });
  const gvisor = isGvisor(dependencies.confining.runtime);
  return faultsOf(parseReport(text), engine, { profile, workspaceBytes: specOf(job).workspaceBytes, gvisor });
}
