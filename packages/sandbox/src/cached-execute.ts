/** Adds the build cache to `execute`. The caller decides which jobs may be cached. */
import { buildKey, toOutput, type BuildCache, type CachedBuild, type OutputRun } from './build-cache.js';
import { byteLength, ByteCollector } from './byte-pieces.js';
import type { Confining } from './container-options.js';
import type { OutputStream } from './frames.js';
import type { Images } from './images.js';
import type { Execute, ExecuteOptions, Job, JobResult } from './job.js';
import type { Log } from './log.js';

export interface CachePolicy {
  /** Whether the job gives the same result each time. */
  isCacheable(job: Job): boolean;
  /** Whether this result may be cached. `output`: stdout and stderr in order, as Latin-1. */
  isRepeatable(result: JobResult, output: string): boolean;
}

export interface CachedExecuteDependencies {
  readonly cache: BuildCache;
  readonly policy: CachePolicy;
  readonly images: Images;
  readonly confining: Confining;
  readonly log: Log;
}

/** Output of a cached build is reported all at once. */
export function withCache(
  execute: Execute,
  { cache, policy, images, confining, log }: CachedExecuteDependencies,
): Execute {
  return async (job, options) => {
    if (!policy.isCacheable(job)) return execute(job, options);
    const begin = performance.now();
    const imageId = await images.known(job.profile.image);
    const found = await cache.lookup(keyOf(job, imageId, confining), options.signal);
    if (!('settle' in found)) {
      return fits(found, job) ? replay(found, options, Math.round(performance.now() - begin)) : execute(job, options);
    }
    const recorder = new Recorder();
    let build: CachedBuild | undefined;
    try {
      const onOutput = (stream: OutputStream, bytes: Buffer) => {
        recorder.add(stream, bytes);
        options.onOutput(stream, bytes);
      };
      const result = await execute(job, { ...options, onOutput, imageId });
      if (result.ranInImage) build = recorder.build(result, policy);
      else log.warn({ imageId }, 'a build may have been made in another image than was asked for: not cached');
      return result;
    } finally {
      found.settle(build);
    }
  };
}

function keyOf(
  { profile, environment = {}, argv, files, copyOut = '' }: Job,
  imageId: string,
  { seccompProfile, runtime = '' }: Confining,
): string {
  const sources = files
    .map(({ basename, contents }) => [basename, contents])
    .sort(([one = ''], [other = '']) => (one < other ? -1 : 1));
  return buildKey(imageId, runtime, seccompProfile, profile, environment, argv, copyOut, ...sources);
}

function fits({ ms, output }: CachedBuild, { limits }: Job): boolean {
  return ms <= limits.timeMs && byteLength(output.map(([, bytes]) => bytes)) <= limits.outputBytes;
}

function replay({ output, status, copiedOut }: CachedBuild, { onOutput }: ExecuteOptions, ms: number): JobResult {
  for (const [stream, bytes] of output) onOutput(stream, bytes);
  return { status, ms, ...(copiedOut && { copiedOut }) };
}

class Recorder {
  private readonly bytes = new ByteCollector();
  private readonly runs: OutputRun[] = [];

  add(stream: OutputStream, bytes: Buffer): void {
    const last = this.runs.at(-1);
    if (last?.[0] === stream) last[1] += bytes.length;
    else this.runs.push([stream, bytes.length]);
    this.bytes.add(bytes);
  }

  /** Undefined if the result must not be cached. */
  build(result: JobResult, policy: CachePolicy): CachedBuild | undefined {
    const { status, limit, signal, ms, commandMissing, copiedOut } = result;
    if (limit !== undefined || signal !== undefined || commandMissing) return undefined;
    const bytes = Buffer.concat(this.bytes.pieces());
    if (!policy.isRepeatable(result, bytes.toString('latin1'))) return undefined;
    return { output: toOutput(bytes, this.runs), status, ms, ...(copiedOut && { copiedOut }) };
  }
}
