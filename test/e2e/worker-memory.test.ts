/** A worker's memory with the maximum number of concurrent tasks, each as large as its limits allow. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { EXECUTABLE_BYTES } from '@code-widgets/sandbox';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';

import { MAX_CONCURRENCY, readConfig } from '../../apps/worker/src/config.js';
import { collect, submit, text, verdict, type RunRequest, type RunResult } from '../helpers/client.js';
import { deploy, isRunning, type Deployment } from '../helpers/deployment.js';
import { c, GREETING, lab, sayHello } from '../helpers/programs.js';

jest.setTimeout(180_000);

const MIB = 1024 * 1024;
/** A request body may have 4 MiB; the rest is for the program and the JSON around the files. */
const HEADER_BYTES = 4 * MIB - 128 * 1024;
const FILE_CHARACTERS = 50_000;
const CASES = 4;
const OUTPUT_BYTES = readConfig({}).OUTPUT_LIMIT_BYTES;
const CASE_BYTES = OUTPUT_BYTES / CASES;
/** Memory that the kernel charges to a container beside the process: sockets, files being written. */
const KERNEL_MIB = 64;

/** Each file has one character beyond Latin-1, so that strings take two bytes per character. */
function headers(): RunRequest['files'] {
  const contents = `/* ${'x'.repeat(FILE_CHARACTERS - 10)} \u20ac */`;
  const count = Math.floor(HEADER_BYTES / Buffer.byteLength(contents));
  return Array.from({ length: count }, (_, i) => ({ basename: `h${i}.h`, contents }));
}

/** A task with an executable of nearly the maximum size, whose cases fill the output with control characters. */
function largeTask(mark: number, more: RunRequest['files'] = []): RunRequest {
  const ballast = `const volatile unsigned char ballast[${EXECUTABLE_BYTES - 128 * 1024}] = {${mark}};`;
  const body = `  static char block[${CASE_BYTES}];\n  memset(block, 1 + ballast[0] % 8, sizeof block);\n  fwrite(block, 1, sizeof block, stdout);\n  return 0;`;
  const cases = Array.from({ length: CASES }, (): [string, string] => ['', 'x']);
  const words = { basename: 'cli.txt', contents: 'a '.repeat(FILE_CHARACTERS / 2) };
  return { mode: 'submit', files: [c(body, ballast), lab(cases), words, ...more] };
}

/** The worker's memory limit in the compose file. */
function limitMib(): number {
  const worker = /\n {2}worker:\n([\s\S]*?)\n\n/.exec(
    readFileSync(new URL('../../compose.yaml', import.meta.url), 'utf8'),
  )?.[1];
  return Number(/mem_limit: (\d+)m/.exec(worker ?? '')?.[1]);
}

describe(`a worker with ${MAX_CONCURRENCY} of the largest tasks at a time`, () => {
  let service: Deployment;
  let builds: string;
  let peakMib: number;
  const results: RunResult[] = [];

  beforeAll(async () => {
    builds = mkdtempSync(join(tmpdir(), `code-widgets-${process.env.RUN_ID ?? 'memory'}-`));
    const worker = {
      CONCURRENCY: String(MAX_CONCURRENCY),
      BUILD_CACHE_FOLDER: builds,
      // Node's default heap size in a container with that limit.
      NODE_OPTIONS: `--max-old-space-size=${limitMib() / 2}`,
    };
    service = await deploy({ widgets: 1, workers: 1, envOf: { worker } });
    const marks = Array.from({ length: MAX_CONCURRENCY }, (_, i) => i);
    await runAll(marks.map((mark) => largeTask(mark, headers())));
    // The first round caches builds with few sources; the second round takes them from the cache.
    await runAll(marks.map((mark) => largeTask(mark)));
    expect(readdirSync(builds)).toHaveLength(MAX_CONCURRENCY);
    await runAll(marks.map((mark) => largeTask(mark)));
    const status = readFileSync(`/proc/${service.workers[0]?.pid}/status`, 'utf8');
    peakMib = Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1]) / 1024;
  });
  /** Submits one task after another, since the API limits the bytes of concurrent request bodies. */
  async function runAll(tasks: RunRequest[]): Promise<void> {
    const identifiers: string[] = [];
    for (const task of tasks) identifiers.push(await submit(service.base, task));
    results.push(...(await Promise.all(identifiers.map((identifier) => collect(service.base, identifier)))));
  }
  afterAll(async () => {
    await service?.end();
    rmSync(builds, { recursive: true, force: true });
  }, 60_000);

  it('stays below the memory limit of the compose file', () => {
    expect(peakMib).toBeLessThan(limitMib() - KERNEL_MIB);
  });

  it('ends each task correctly', () => {
    expect(results).toHaveLength(3 * MAX_CONCURRENCY);
    for (const result of results) {
      expect(result).toMatchObject({ status: 0, message: 'SUCCESS' });
      expect(text(result, 'stdout').replace('Build completed successfully.', '')).toHaveLength(OUTPUT_BYTES);
      expect(Object.values(verdict(result)?.cases ?? {}).map(({ status }) => status)).toEqual(
        Array(CASES).fill('Failed'),
      );
    }
  });

  it('loses no attempt', async () => {
    const ends = await Promise.all(results.map(({ identifier }) => service.lineOfEnd(identifier)));
    expect(ends.map(({ outcome, attempt }) => [outcome, attempt])).toEqual(ends.map(() => ['success', 1]));
    expect(service.workers.every(isRunning)).toBe(true);
  });

  it('still accepts tasks', async () => {
    expect(await sayHello(service.base)).toEqual(GREETING);
  });
});
