/** Runs jobs, each in a container of its own that is gone afterwards. The package's entry. */
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
  /** As DOCKER_HOST; unix:///var/run/docker.sock without it. */
  dockerHost?: string;
  /** As DOCKER_CERT_PATH: the folder of ca.pem, cert.pem and key.pem. */
  dockerCertPath?: string;
  /** The profiles of all jobs. */
  profiles: readonly Profile[];
  /** The seccomp profile's JSON text. */
  seccompProfile: string;
  /** A label of every container; leftovers are looked for by it. */
  namespace: string;
  /** The name under which the engine knows the runtime, `runsc` say; the engine's default without it. */
  runtime?: string;
  /** Maximum number of warm containers of each profile; no container is made ahead without it. */
  maxWarm?: number;
  /** How long a container stays warm before a newer one takes its place. */
  warmMs?: number;
  /** Where results are cached, how many bytes of them, and which; nowhere without it. */
  cache?: { folder: string; maxBytes: number; policy: CachePolicy };
  log: Log;
}

/** All reject with SandboxUnavailable when the engine is out of reach or an image is missing. */
export interface Sandbox {
  readonly execute: Execute;
  /** Whether the engine answers and the images are there. */
  check(): Promise<void>;
  /**
   * Makes one container of each profile and looks into it. Resolves to what does not hold, each in a
   * sentence with what to do; to none if a hostile program may come.
   */
  inspect(): Promise<string[]>;
  /** The id of the image that has this name now. */
  imageId(image: string): Promise<string>;
  /** Removes the containers of dead workers, and resolves to their number. Safe beside live workers. */
  removeLeftovers(): Promise<number>;
  /** Removes warm containers, and waits for removals under way. Jobs are the caller's to end first. */
  close(): Promise<void>;
}

/** @throws {RangeError} a `dockerHost` that is no engine's address; SyntaxError for a profile that is no JSON. */
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
