/** Caches results of builds in a folder that all workers of a machine share. Each file holds one result. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import pTimeout from 'p-timeout';
import { byteLength, type BytePieces } from './byte-pieces.js';
import { CACHE_SHARE, CACHE_SLACK, UNFINISHED_MS } from './limits.js';
import type { Log } from './log.js';
import type { OutputStream } from './frames.js';

export interface CachedBuild {
  readonly output: readonly (readonly [OutputStream, Buffer])[];
  readonly status: number;
  /** Run time of the command when it was built. */
  readonly ms: number;
  readonly copiedOut?: BytePieces;
}

/** Permission to make the build of a key. Other lookups of the key wait until it is settled. */
export interface Reservation {
  /** Call it once. Stores the build, or without one hands the reservation to the next lookup that waits. */
  settle(build: CachedBuild | undefined): void;
}

export interface BuildCacheOptions {
  folder: string;
  /** All files together. The least recently used are evicted. */
  maxBytes: number;
  log: Log;
}

/** Raise it when the file format changes, or when builds of an older version must not be used again. */
const VERSION = 4;
const DIGEST_CHARACTERS = 64;

export type OutputRun = [stream: OutputStream, bytes: number];

/** Splits `bytes` by runs, without a copy. */
export function toOutput(bytes: Buffer, runs: readonly OutputRun[]): CachedBuild['output'] {
  let end = 0;
  return runs.map(([stream, length]) => [stream, bytes.subarray(end, (end += length))]);
}

export function buildKey(...parts: readonly unknown[]): string {
  const hash = createHash('sha256');
  for (const part of [VERSION, ...parts]) hash.update(`${JSON.stringify(part)}\n`);
  return hash.digest('hex');
}

export class BuildCache {
  /** Builds that are being made or written, by key. */
  private readonly pending = new Map<string, Promise<CachedBuild | undefined>>();
  private readonly writing = new Set<Promise<void>>();
  /** Bytes written by this process since the last eviction. */
  private newBytes = Infinity;

  constructor(private readonly options: BuildCacheOptions) {}

  /**
   * Returns the build of this key, or a reservation to make it. Waits while this process makes that build.
   * @throws the signal's reason on an abort.
   */
  async lookup(key: string, signal?: AbortSignal): Promise<CachedBuild | Reservation> {
    for (;;) {
      // A build stays pending until its file can be read.
      const found = (await this.wait(key, signal)) ?? (await this.read(key));
      if (found) return found;
      if (!this.pending.has(key)) return this.reserve(key);
    }
  }

  async written(): Promise<void> {
    while (this.writing.size > 0) await Promise.all(this.writing);
  }

  private async wait(key: string, signal: AbortSignal | undefined): Promise<CachedBuild | undefined> {
    for (let pending; (pending = this.pending.get(key));) {
      const build = await pTimeout(pending, { milliseconds: Infinity, ...(signal && { signal }) });
      if (build) return build;
    }
    return undefined;
  }

  private reserve(key: string): Reservation {
    const { promise, resolve } = promiseWithResolver<CachedBuild | undefined>();
    this.pending.set(key, promise);
    return {
      settle: (build) => {
        resolve(build);
        if (build === undefined) return void this.pending.delete(key);
        const writing = this.write(key, build).finally(() => {
          this.pending.delete(key);
          this.writing.delete(writing);
        });
        this.writing.add(writing);
      },
    };
  }

  private path(key: string): string {
    return join(this.options.folder, key);
  }

  private async read(key: string): Promise<CachedBuild | undefined> {
    const path = this.path(key);
    const bytes = await readFile(path).catch(() => undefined);
    if (bytes === undefined) return undefined;
    const build = decode(key, bytes);
    if (build === undefined) {
      this.options.log.warn({ path }, 'a kept build is not what was written: removed');
      await rm(path, { force: true });
      return undefined;
    }
    const now = new Date();
    void utimes(path, now, now).catch(() => undefined);
    return build;
  }

  /** Errors are logged only, since the task can go on without the cache. */
  private async write(key: string, build: CachedBuild): Promise<void> {
    const { folder, maxBytes, log } = this.options;
    // Let the task that waits for this build go on first.
    await setImmediate();
    const pieces = encode(key, build);
    const bytes = byteLength(pieces);
    if (bytes > maxBytes / CACHE_SHARE) return;
    const unfinished = this.path(`${key}.${randomUUID()}`);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(unfinished, pieces, { flag: 'wx', mode: 0o600 });
      await rename(unfinished, this.path(key));
      this.newBytes += bytes;
      // Other workers write as well, so each evicts before it alone could fill the part that an eviction frees.
      if (this.newBytes > maxBytes * (1 - CACHE_SLACK)) await this.evict();
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'a build could not be kept');
      await rm(unfinished, { force: true }).catch(() => undefined);
    }
  }

  /** Evicts the least recently used files, and removes unfinished files of dead workers. */
  private async evict(): Promise<void> {
    const { folder, maxBytes } = this.options;
    this.newBytes = 0;
    const files = (await Promise.all((await readdir(folder)).map((name) => this.fileOf(name)))).filter(
      (file) => file !== undefined,
    );
    files.sort((one, other) => other.usedMs - one.usedMs);
    let total = 0;
    for (const { path, bytes, usedMs, isFinished } of files) {
      total += bytes;
      const tooMuch = total > maxBytes * CACHE_SLACK;
      const abandoned = !isFinished && Date.now() - usedMs > UNFINISHED_MS;
      if (!tooMuch && !abandoned) continue;
      total -= bytes;
      await rm(path, { force: true });
    }
  }

  private async fileOf(name: string) {
    const path = this.path(name);
    // Another worker may have evicted it.
    const found = await stat(path).catch(() => undefined);
    return found && { path, bytes: found.size, usedMs: found.mtimeMs, isFinished: !name.includes('.') };
  }
}

interface Header {
  key: string;
  status: number;
  ms: number;
  runs: OutputRun[];
  /** Whether the rest of the file is the file that the build handed back. */
  hasCopiedOut: boolean;
}

/** A file is: digest of the rest, a line of JSON (`Header`), the output, the file that was handed back. */
function encode(key: string, { output, status, ms, copiedOut }: CachedBuild): Buffer[] {
  const runs = output.map(([stream, { length }]): OutputRun => [stream, length]);
  const header: Header = { key, status, ms, runs, hasCopiedOut: copiedOut !== undefined };
  const content = [
    Buffer.from(`${JSON.stringify(header)}\n`),
    ...output.map(([, bytes]) => bytes),
    ...(copiedOut ?? []),
  ];
  return [Buffer.from(digest(content)), ...content];
}

function decode(key: string, bytes: Buffer): CachedBuild | undefined {
  const content = bytes.subarray(DIGEST_CHARACTERS);
  if (digest([content]) !== bytes.toString('latin1', 0, DIGEST_CHARACTERS)) return undefined;
  const end = content.indexOf('\n');
  const header = JSON.parse(content.toString('utf8', 0, end)) as Header;
  if (header.key !== key) return undefined;
  const { status, ms, runs, hasCopiedOut } = header;
  const rest = content.subarray(end + 1);
  const outputBytes = runs.reduce((sum, [, length]) => sum + length, 0);
  return { status, ms, output: toOutput(rest, runs), ...(hasCopiedOut && { copiedOut: [rest.subarray(outputBytes)] }) };
}

function promiseWithResolver<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolver) => (resolve = resolver));
  return { promise, resolve };
}

function digest(pieces: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}
