import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BuildCache, buildKey, type CachedBuild, type Reservation } from '../src/build-cache.js';
import { CACHE_SHARE } from '../src/limits.js';

const KIB = 1024;
const build = (text: string, size = 10): CachedBuild => ({
  output: [
    ['stdout', Buffer.from(text)],
    ['stderr', Buffer.from([0, 255, 10])],
  ],
  status: 0,
  ms: 400,
  copiedOut: [Buffer.alloc(size, text)],
});
const failed: CachedBuild = { output: [['stderr', Buffer.from('main.adb:1:01: error')]], status: 4, ms: 90 };

let folder: string;
let warnings: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'code-widgets-cache-'));
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const cacheOf = (maxBytes = 1024 * KIB) =>
  new BuildCache({ folder, maxBytes, log: { warn: (_, message) => warnings.push(message) } });
/** Looks up a build, settles a reservation with `result`, and waits until it is written. */
async function lookUp(
  cache: BuildCache,
  key: string,
  result: CachedBuild | undefined,
): Promise<{ build: CachedBuild | undefined; made: boolean }> {
  const found = await cache.lookup(key);
  if (!isReservation(found)) return { build: found, made: false };
  found.settle(result);
  await cache.written();
  return { build: result, made: true };
}
async function reserve(cache: BuildCache, key: string): Promise<Reservation> {
  const found = await cache.lookup(key);
  if (!isReservation(found)) throw new Error('was there');
  return found;
}
const isReservation = (found: CachedBuild | Reservation): found is Reservation => 'settle' in found;
/** Time for a lookup to read the folder and start waiting. */
const begun = () => new Promise((resolve) => setTimeout(resolve, 50));

describe('a build cache', () => {
  it.each([
    ['a good build', build('x')],
    ['a failed build', failed],
  ])('returns %s unchanged, also to another worker', async (_, result) => {
    const key = buildKey('a');
    expect(await lookUp(cacheOf(), key, result)).toEqual({ build: result, made: true });
    expect(await lookUp(cacheOf(), key, undefined)).toEqual({ build: result, made: false });
    expect(warnings).toEqual([]);
  });

  it('stores a file in pieces and returns it as one', async () => {
    const pieces = [Buffer.alloc(100 * KIB, 'a'), Buffer.alloc(100 * KIB, 'b')];
    await lookUp(cacheOf(8192 * KIB), 'k', { ...build('x'), copiedOut: pieces });
    const { build: kept, made } = await lookUp(cacheOf(8192 * KIB), 'k', undefined);
    expect(made).toBe(false);
    expect(kept?.copiedOut).toHaveLength(1);
    expect(Buffer.concat(kept?.copiedOut ?? []).equals(Buffer.concat(pieces))).toBe(true);
  });

  it('stores control characters without escapes, which would take six times the space', async () => {
    await lookUp(cacheOf(), 'k', { ...failed, output: [['stderr', Buffer.alloc(50 * KIB, 1)]] });
    expect(statSync(join(folder, 'k')).size).toBeLessThan(51 * KIB);
  });

  it('has different keys for different jobs', () => {
    const keys = [
      buildKey('a', 'b'),
      buildKey('ab'),
      buildKey('b', 'a'),
      buildKey(['a'], 'b'),
      buildKey('a', 'b', ''),
      buildKey('a', undefined),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('stores nothing for a reservation that is settled without a build', async () => {
    const cache = cacheOf();
    for (let i = 0; i < 2; i++) expect(await lookUp(cache, 'k', undefined)).toEqual({ build: undefined, made: true });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('grants one reservation at a time, and the other lookups get its build', async () => {
    const cache = cacheOf();
    const reservation = await reserve(cache, 'k');
    const lookups = [1, 2, 3].map(() => cache.lookup('k'));
    await begun();
    reservation.settle(build('x'));
    expect(await Promise.all(lookups)).toEqual(Array(3).fill(build('x')));
  });

  it('grants one reservation for simultaneous lookups', async () => {
    const cache = cacheOf();
    const lookups = [1, 2, 3, 4].map(() => lookUp(cache, 'k', build('x')));
    const results = await Promise.all(lookups);
    expect(results.map((result) => result.build)).toEqual(Array(4).fill(build('x')));
    expect(results.filter(({ made }) => made)).toHaveLength(1);
  });

  it('returns a build that is not written yet', async () => {
    const cache = cacheOf();
    (await reserve(cache, 'k')).settle(build('x'));
    expect(await cache.lookup('k')).toEqual(build('x'));
    expect(existsSync(join(folder, 'k'))).toBe(false);
    await cache.written();
    expect(existsSync(join(folder, 'k'))).toBe(true);
  });

  it('does not delay other keys during a reservation', async () => {
    const cache = cacheOf();
    await reserve(cache, 'k');
    expect(await lookUp(cache, 'l', build('x'))).toEqual({ build: build('x'), made: true });
  });

  it('grants the reservation to a waiting lookup if the first one made no build', async () => {
    const cache = cacheOf();
    const first = await reserve(cache, 'k');
    const lookups = [lookUp(cache, 'k', build('x')), lookUp(cache, 'k', build('x'))];
    await begun();
    first.settle(undefined);
    const results = await Promise.all(lookups);
    expect(results.map((result) => result.build)).toEqual([build('x'), build('x')]);
    expect(results.filter(({ made }) => made)).toHaveLength(1);
  });

  it('ends an aborted lookup and no other', async () => {
    const cache = cacheOf();
    const first = await reserve(cache, 'k');
    const abort = new AbortController();
    const aborted = cache.lookup('k', abort.signal);
    const other = cache.lookup('k');
    await begun();
    abort.abort(new Error('cancelled'));
    await expect(aborted).rejects.toThrow('cancelled');
    await expect(cache.lookup('k', abort.signal)).rejects.toThrow('cancelled');
    first.settle(build('x'));
    expect(await other).toEqual(build('x'));
  });
});

describe('a cache file', () => {
  const poisoned: [string, (path: string) => void][] = [
    ['changed in its executable', (path) => change(path, (bytes) => bytes.writeUInt8(0x21, bytes.length - 1))],
    ['changed in its output', (path) => change(path, (bytes) => bytes.write('y', bytes.indexOf('\nx') + 1))],
    ['truncated', (path) => writeFileSync(path, readFileSync(path).subarray(0, -1))],
    ['empty', (path) => writeFileSync(path, '')],
    ['longer', (path) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from('x')]))],
    ['not a build', (path) => writeFileSync(path, 'x'.repeat(1000))],
  ];
  it.each(poisoned)('that is %s is ignored and replaced', async (_, poison) => {
    await lookUp(cacheOf(), 'k', build('x'));
    poison(join(folder, 'k'));
    expect(await lookUp(cacheOf(), 'k', build('x'))).toEqual({ build: build('x'), made: true });
    expect(warnings).toEqual(['a kept build is not what was written: removed']);
    expect(await lookUp(cacheOf(), 'k', undefined)).toMatchObject({ made: false });
  });

  it('does not serve another build under a wrong name', async () => {
    await lookUp(cacheOf(), 'other', build('evil'));
    renameSync(join(folder, 'other'), join(folder, 'k'));
    expect(await lookUp(cacheOf(), 'k', build('x'))).toEqual({ build: build('x'), made: true });
  });

  it('that a crash left half-written is never read, and later removed', async () => {
    const left = join(folder, 'k.0b5c');
    writeFileSync(left, 'half');
    expect(await lookUp(cacheOf(), 'k', build('x'))).toMatchObject({ made: true });
    expect(existsSync(left)).toBe(true); // Another process may be writing it.
    utimesSync(left, 0, 0);
    await lookUp(cacheOf(), 'l', build('x'));
    expect(existsSync(left)).toBe(false);
  });

  it('is readable only by its owner', async () => {
    rmSync(folder, { recursive: true });
    await lookUp(cacheOf(), 'k', build('x'));
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'k')).mode & 0o777).toBe(0o600);
  });

  it('that cannot be written does not fail the build', async () => {
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'a file in its place');
    expect(await lookUp(cacheOf(), 'k', build('x'))).toEqual({ build: build('x'), made: true });
    expect(warnings).toEqual(['a build could not be kept']);
  });
});

describe('a full cache', () => {
  const used = (name: string, secondsAgo: number) =>
    utimesSync(join(folder, name), Date.now() / 1000 - secondsAgo, Date.now() / 1000 - secondsAgo);
  const total = () => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

  it('evicts the least recently used builds', async () => {
    const cache = cacheOf(100 * KIB);
    for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) {
      await lookUp(cache, name, build(name, 10 * KIB));
      used(name, 100 - i);
    }
    await lookUp(cache, 'a', undefined);
    await new Promise((resolve) => setTimeout(resolve, 50)); // The update of its time is not awaited.
    for (const name of ['e', 'f', 'g', 'h', 'i', 'j', 'k']) await lookUp(cache, name, build(name, 10 * KIB));
    expect(total()).toBeLessThanOrEqual(100 * KIB);
    expect(existsSync(join(folder, 'a'))).toBe(true);
    expect(existsSync(join(folder, 'b'))).toBe(false);
    expect(existsSync(join(folder, 'k'))).toBe(true);
  });

  it('stays within its limit with several workers', async () => {
    const caches = [cacheOf(100 * KIB), cacheOf(100 * KIB), cacheOf(100 * KIB)];
    await Promise.all(
      caches.map(async (cache, i) => {
        for (let n = 0; n < 40; n++) await lookUp(cache, `${i}-${n % 20}`, build('x', 8 * KIB));
      }),
    );
    // Each worker checks the size again before it has written a tenth of the limit.
    expect(total()).toBeLessThanOrEqual((1 + 0.1 * caches.length) * 100 * KIB);
    expect(warnings).toEqual([]);
  });

  it('does not store a build that would evict all others', async () => {
    await lookUp(cacheOf(100 * KIB), 'k', build('x', (100 * KIB) / CACHE_SHARE));
    expect(readdirSync(folder)).toEqual([]);
  });
});

function change(path: string, edit: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  edit(bytes);
  writeFileSync(path, bytes);
}
