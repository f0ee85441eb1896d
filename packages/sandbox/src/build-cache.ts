/**
 * Builds that have been made before, kept in a folder that the workers of a machine share. One file
 * holds one build, and is read only if it is, byte for byte, what was written for that very build.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { byteLength, type Executable } from './executable.js';
import { CACHE_SHARE, CACHE_SLACK, UNFINISHED_MS } from './limits.js';
import type { Log } from './log.js';
import type { OutputStream } from './frames.js';

/** What a build put out, how it ended, and what it handed back. */
export interface Build {
  readonly output: readonly (readonly [OutputStream, Buffer])[];
  readonly status: number;
  /** Of the command, when it was built. */
  readonly ms: number;
  readonly executable?: Executable;
}

export interface BuildCacheOptions {
  folder: string;
  /** Of all files; before there are more, those that were not used for the longest go. */
  maxBytes: number;
  log: Log;
}

/** Raise when the files look different, or the same key should give another build. */
const VERSION = 3;
const DIGEST_CHARACTERS = 64;

/** Successive bytes of one stream, and their number. */
export type OutputRun = [stream: OutputStream, bytes: number];

/** The output whose bytes are `bytes`, without a copy. */
export function toOutput(bytes: Buffer, runs: readonly OutputRun[]): Build['output'] {
  let end = 0;
  return runs.map(([stream, length]) => [stream, bytes.subarray(end, (end += length))]);
}

/** Everything that a build depends on: whatever else is equal, it is the same build. */
export function buildKey(...parts: readonly unknown[]): string {
  const hash = createHash('sha256');
  for (const part of [VERSION, ...parts]) hash.update(`${JSON.stringify(part)}\n`);
  return hash.digest('hex');
}

export class BuildCache {
  readonly #underWay = new Map<string, Promise<Build | undefined>>();
  readonly #keeping = new Set<Promise<void>>();
  /** What was written here since the folder was last looked through. */
  #newBytes = Infinity;

  constructor(private readonly options: BuildCacheOptions) {}

  /**
   * The build of this key: kept, being made by somebody else here at this moment, or made by `make`
   * and kept. `make` answers undefined for what is not to be kept or shared; so does this, since
   * whoever has asked has seen it by then.
   * @throws what `make` throws, for whoever's it is; the signal's reason on an abort.
   */
  async get(key: string, make: () => Promise<Build | undefined>, signal?: AbortSignal): Promise<{ build: Build; made: boolean } | undefined> {
    // One that is being kept is not there to be read yet, and not under way any more once it is.
    const found = (await this.#waitFor(key, signal)) ?? (await this.#read(key)) ?? (await this.#waitFor(key, signal));
    if (found) return { build: found, made: false };
    const making = make();
    this.#underWay.set(key, making);
    const keeping = this.#keep(key, making).finally(() => {
      this.#underWay.delete(key);
      this.#keeping.delete(keeping);
    });
    this.#keeping.add(keeping);
    const build = await making;
    await keeping;
    return build && { build, made: true };
  }

  /** Resolves when everything that was begun here is kept. */
  async settled(): Promise<void> {
    while (this.#keeping.size > 0) await Promise.all(this.#keeping);
  }

  async #waitFor(key: string, signal: AbortSignal | undefined): Promise<Build | undefined> {
    for (let other; (other = this.#underWay.get(key)); ) {
      const build = await orAborted(other.catch(() => undefined), signal);
      if (build) return build;
    }
    return undefined;
  }

  /** What cannot be made is its maker's to tell. */
  async #keep(key: string, making: Promise<Build | undefined>): Promise<void> {
    const build = await making.catch(() => undefined);
    if (build !== undefined) await this.#write(key, build);
  }

  #path(key: string): string {
    return join(this.options.folder, key);
  }

  async #read(key: string): Promise<Build | undefined> {
    const path = this.#path(key);
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

  /** Whole or not at all, whoever else writes the same; what cannot be kept is no trouble of the task's. */
  async #write(key: string, build: Build): Promise<void> {
    const { folder, maxBytes, log } = this.options;
    // After whoever has built it has gone on.
    await setImmediate();
    const pieces = encode(key, build);
    const bytes = byteLength(pieces);
    if (bytes > maxBytes / CACHE_SHARE) return;
    const unfinished = this.#path(`${key}.${randomUUID()}`);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(unfinished, pieces, { flag: 'wx', mode: 0o600 });
      await rename(unfinished, this.#path(key));
      this.#newBytes += bytes;
      // Others write as well: each looks again before it alone could fill what was left free.
      if (this.#newBytes > maxBytes * (1 - CACHE_SLACK)) await this.#evict();
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'a build could not be kept');
      await rm(unfinished, { force: true }).catch(() => undefined);
    }
  }

  /** Makes room for a while, and removes what a worker that died had begun to write. */
  async #evict(): Promise<void> {
    const { folder, maxBytes } = this.options;
    this.#newBytes = 0;
    const files = (await Promise.all((await readdir(folder)).map((name) => this.#fileOf(name)))).filter((file) => file !== undefined);
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

  async #fileOf(name: string) {
    const path = this.#path(name);
    // Gone, if another worker was quicker.
    const found = await stat(path).catch(() => undefined);
    return found && { path, bytes: found.size, usedMs: found.mtimeMs, isFinished: !name.includes('.') };
  }
}

interface Header {
  key: string;
  status: number;
  ms: number;
  runs: OutputRun[];
  /** The rest of the file is it; otherwise there was none. */
  hasExecutable: boolean;
}

/** A digest of all that follows, a line of JSON, the output, the executable. */
function encode(key: string, { output, status, ms, executable }: Build): Buffer[] {
  const runs = output.map(([stream, { length }]): OutputRun => [stream, length]);
  const header: Header = { key, status, ms, runs, hasExecutable: executable !== undefined };
  const content = [Buffer.from(`${JSON.stringify(header)}\n`), ...output.map(([, bytes]) => bytes), ...(executable ?? [])];
  return [Buffer.from(digest(content)), ...content];
}

function decode(key: string, bytes: Buffer): Build | undefined {
  const content = bytes.subarray(DIGEST_CHARACTERS);
  if (digest([content]) !== bytes.toString('latin1', 0, DIGEST_CHARACTERS)) return undefined;
  const end = content.indexOf('\n');
  const header = JSON.parse(content.toString('utf8', 0, end)) as Header;
  if (header.key !== key) return undefined;
  const { status, ms, runs, hasExecutable } = header;
  const rest = content.subarray(end + 1);
  const outputBytes = runs.reduce((sum, [, length]) => sum + length, 0);
  return { status, ms, output: toOutput(rest, runs), ...(hasExecutable && { executable: [rest.subarray(outputBytes)] }) };
}

function digest(pieces: readonly Buffer[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  signal.throwIfAborted();
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
