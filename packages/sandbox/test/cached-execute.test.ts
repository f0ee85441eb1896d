import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BuildCache } from '../src/build-cache.js';
import { withCache, type CachePolicy } from '../src/cached-execute.js';
import type { OutputStream } from '../src/frames.js';
import { Images } from '../src/images.js';
import type { Execute, ExecuteOptions, Job, JobResult } from '../src/job.js';
import { jobOf, SHARING, TOOL } from './profiles.js';

type Chunk = [OutputStream, string];

const OUTPUT: Chunk[] = [
  ['stdout', 'a'],
  ['stdout', 'b'],
  ['stderr', 'c\xff'],
  ['stdout', 'd'],
];
const job = jobOf(TOOL, {
  files: [
    { basename: 'a.c', contents: 'a' },
    { basename: 'b.c', contents: 'b' },
  ],
  copyOut: 'main',
});
const GOOD: JobResult = { status: 0, ms: 400, copiedOut: [Buffer.from('E'), Buffer.from('LF')], ranInImage: true };
const CACHE_ALL: CachePolicy = { isCacheable: () => true, isRepeatable: () => true };

let folder: string;
let warnings: string[];
let executed: ExecuteOptions[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'code-widgets-cache-'));
  warnings = [];
  executed = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

/** An `execute` with a cache, in which every job has `result`. */
function cached(
  result: JobResult | Error = GOOD,
  policy = CACHE_ALL,
  { imageId = 'sha256:1', namespace = 'here', runtime = 'runc' } = {},
) {
  const log = { warn: (_: unknown, message: string) => void warnings.push(message) };
  const cache = new BuildCache({ folder, maxBytes: 1 << 20, log });
  const uncached: Execute = (_, options) => {
    executed.push(options);
    for (const [stream, text] of OUTPUT) options.onOutput(stream, Buffer.from(text, 'latin1'));
    return result instanceof Error ? Promise.reject(result) : Promise.resolve(result);
  };
  const images = new Images({ imageId: () => Promise.resolve(imageId) });
  const execute = withCache(uncached, {
    cache,
    policy,
    images,
    confining: { seccompProfile: '{}', namespace, runtime },
    log,
  });
  return async (given: Job = job, signal?: AbortSignal) => {
    const output: Chunk[] = [];
    const end = await execute(given, {
      onOutput: (stream, bytes) => output.push([stream, bytes.toString('latin1')]),
      ...(signal && { signal }),
    });
    await cache.written();
    return { ...end, output };
  };
}

describe('a cached job', () => {
  it('is executed once and later has the same status, output and file', async () => {
    const first = await cached()();
    const second = await cached()();
    expect(executed).toHaveLength(1);
    expect(first).toEqual({ ...GOOD, output: OUTPUT });
    // All output of one stream becomes one item.
    expect(second).toMatchObject({
      status: 0,
      output: [
        ['stdout', 'ab'],
        ['stderr', 'c\xff'],
        ['stdout', 'd'],
      ],
    });
    expect(Buffer.concat(second.copiedOut ?? []).toString()).toBe('ELF');
    expect(second.ms).toBeLessThan(GOOD.ms);
  });

  it('runs in the image of its key', async () => {
    await cached()();
    expect(executed).toMatchObject([{ imageId: 'sha256:1' }]);
  });

  it('is found whatever the order of its files', async () => {
    await cached()();
    await cached()({ ...job, files: job.files.toReversed() });
    expect(executed).toHaveLength(1);
  });

  it.each<[string, Partial<Job>]>([
    [
      'a file',
      {
        files: [
          { basename: 'a.c', contents: 'b' },
          { basename: 'b.c', contents: 'a' },
        ],
      },
    ],
    ['the command', { argv: ['y'] }],
    ['a variable', { environment: { LANG: 'C' } }],
    ['the returned file', { copyOut: 'other' }],
    ['the profile', { profile: SHARING }],
    ['a variable of the profile', { profile: { ...TOOL, environment: {} } }],
  ])('is not found if %s differs', async (_, change) => {
    await cached()();
    await cached()({ ...job, ...change });
    expect(executed).toHaveLength(2);
  });

  it('is found in another namespace, but not under another image or runtime', async () => {
    await cached()();
    await cached(GOOD, CACHE_ALL, { imageId: 'sha256:2' })();
    await cached(GOOD, CACHE_ALL, { runtime: 'runsc' })();
    expect(executed).toHaveLength(3);
    await cached(GOOD, CACHE_ALL, { namespace: 'there' })();
    expect(executed).toHaveLength(3);
  });

  it.each<[string, Job['limits']]>([
    ['time', { timeMs: GOOD.ms - 1, outputBytes: 1024 }],
    ['output', { timeMs: 1000, outputBytes: 4 }],
  ])('is executed again if its %s limit is too small for the cached result', async (_, limits) => {
    await cached()();
    await cached()({ ...job, limits });
    expect(executed).toHaveLength(2);
    // The result of the second execution is not cached.
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('is executed once for two concurrent requests', async () => {
    const execute = cached();
    const [first, second] = await Promise.all([execute(), execute()]);
    expect(executed).toHaveLength(1);
    expect(second?.status).toBe(first?.status);
  });
});

describe('a job is not cached', () => {
  it('if the policy says that it is not cacheable; the job runs unchanged', async () => {
    const policy = { ...CACHE_ALL, isCacheable: () => false };
    await cached(GOOD, policy)();
    expect(readdirSync(folder)).toEqual([]);
    expect(executed[0]).not.toHaveProperty('imageId');
  });

  it('if the policy says that its result is not repeatable', async () => {
    const asked: string[] = [];
    const isRepeatable = (_: JobResult, output: string) => asked.push(output) > 1;
    await cached({ ...GOOD, status: 4 }, { ...CACHE_ALL, isRepeatable })();
    expect(asked).toEqual(['abc\xffd']);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each<[string, Partial<JobResult>]>([
    ['it has reached a limit', { status: 124, limit: 'time' }],
    ['it was killed by a signal', { status: 139, signal: 11 }],
    ['its command is missing', { status: 127, commandMissing: true }],
  ])('if %s', async (_, end) => {
    await cached({ ...GOOD, ...end })();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('if it may have run in another image, which is logged', async () => {
    await cached({ ...GOOD, ranInImage: false })();
    expect(readdirSync(folder)).toEqual([]);
    expect(warnings).toEqual(['a build may have been made in another image than was asked for: not cached']);
  });

  it('if it rejects; then the next waiting job runs', async () => {
    const execute = cached(new Error('engine gone'));
    const results = await Promise.allSettled([execute(), execute()]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(executed).toHaveLength(2);
  });
});

describe('a job that waits for an identical job', () => {
  it("rejects with its signal's reason on an abort", async () => {
    const signal = AbortSignal.abort(new Error('cancelled'));
    const execute = cached();
    const running = execute();
    await expect(execute(job, signal)).rejects.toThrow('cancelled');
    expect((await running).status).toBe(0);
  });
});
