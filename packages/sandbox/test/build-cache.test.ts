import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BuildCache, buildKey, type Build } from '../src/build-cache.js';
import { CACHE_SHARE } from '../src/limits.js';

const KIB = 1024;
const build = (text: string, size = 10): Build => ({
  output: [['stdout', Buffer.from(text)], ['stderr', Buffer.from([0, 255, 10])]],
  status: 0,
  ms: 400,
  executable: [Buffer.alloc(size, text)],
});
const failed: Build = { output: [['stderr', Buffer.from('main.adb:1:01: error')]], status: 4, ms: 90 };

let folder: string;
let warnings: string[];
let made: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'code-widgets-cache-'));
  warnings = [];
  made = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

const cacheOf = (maxBytes = 1024 * KIB) => new BuildCache({ folder, maxBytes, log: { warn: (_, message) => warnings.push(message) } });
const making = (result: Build | undefined) => () => {
  made++;
  return Promise.resolve(result);
};
const never = () => Promise.reject(new Error('was built'));

describe('a build cache', () => {
  it.each([['a good build', build('x')], ['a failed one', failed]])('gives %s again as it was, to another worker too', async (_, result) => {
    const key = buildKey('a');
    expect(await cacheOf().get(key, making(result))).toEqual({ build: result, made: true });
    expect(await cacheOf().get(key, never)).toEqual({ build: result, made: false });
    expect(warnings).toEqual([]);
  });

  it('takes an executable in pieces, and gives it again as one', async () => {
    const pieces = [Buffer.alloc(100 * KIB, 'a'), Buffer.alloc(100 * KIB, 'b')];
    await cacheOf(8192 * KIB).get('k', making({ ...build('x'), executable: pieces }));
    const kept = await cacheOf(8192 * KIB).get('k', never);
    expect(kept?.build.executable).toHaveLength(1);
    expect(Buffer.concat(kept?.build.executable ?? []).equals(Buffer.concat(pieces))).toBe(true);
  });

  it('keeps output of control characters without escapes, which would take six times the room', async () => {
    await cacheOf().get('k', making({ ...failed, output: [['stderr', Buffer.alloc(50 * KIB, 1)]] }));
    expect(statSync(join(folder, 'k')).size).toBeLessThan(51 * KIB);
  });

  it('keeps what differs in anything apart', () => {
    const keys = [buildKey('a', 'b'), buildKey('ab'), buildKey('b', 'a'), buildKey(['a'], 'b'), buildKey('a', 'b', ''), buildKey('a', undefined)];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('does not keep what is not to be kept', async () => {
    const cache = cacheOf();
    expect(await cache.get('k', making(undefined))).toBeUndefined();
    expect(await cache.get('k', making(undefined))).toBeUndefined();
    expect(made).toBe(2);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('makes the same only once at a time', async () => {
    const cache = cacheOf();
    const results = await Promise.all([1, 2, 3, 4].map(() => cache.get('k', making(build('x')))));
    expect(made).toBe(1);
    expect(results.map((result) => result?.build)).toEqual(Array(4).fill(build('x')));
  });

  it('lets whoever waited build, if the first could not', async () => {
    const cache = cacheOf();
    let second: ReturnType<typeof cache.get> | undefined;
    const first = cache.get('k', async () => {
      second = cache.get('k', making(build('x')));
      await new Promise((resolve) => setTimeout(resolve, 50));
      throw new Error('engine gone');
    });
    await expect(first).rejects.toThrow('engine gone');
    expect(await second).toEqual({ build: build('x'), made: true });
  });

  it('lets go of who no longer waits, and of nobody else', async () => {
    const cache = cacheOf();
    let finish: (result: Build) => void = () => undefined;
    let began: () => void = () => undefined;
    const beginning = new Promise<void>((resolve) => (began = resolve));
    const first = cache.get('k', () => {
      began();
      return new Promise<Build>((resolve) => (finish = resolve));
    });
    const stop = new AbortController();
    await beginning;
    const second = cache.get('k', never, stop.signal);
    await new Promise((resolve) => setTimeout(resolve, 50));
    stop.abort(new Error('cancelled'));
    await expect(second).rejects.toThrow('cancelled');
    finish(build('x'));
    expect(await first).toEqual({ build: build('x'), made: true });
  });
});

describe('a file of the cache', () => {
  const poisoned: [string, (path: string) => void][] = [
    ['changed in its executable', (path) => change(path, (bytes) => bytes.writeUInt8(0x21, bytes.length - 1))],
    ['changed in its output', (path) => change(path, (bytes) => bytes.write('y', bytes.indexOf('\nx') + 1))],
    ['cut off', (path) => writeFileSync(path, readFileSync(path).subarray(0, -1))],
    ['empty', (path) => writeFileSync(path, '')],
    ['longer', (path) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.from('x')]))],
    ['no build at all', (path) => writeFileSync(path, 'x'.repeat(1000))],
  ];
  it.each(poisoned)('that is %s is not used but made anew', async (_, poison) => {
    await cacheOf().get('k', making(build('x')));
    poison(join(folder, 'k'));
    expect(await cacheOf().get('k', making(build('x')))).toEqual({ build: build('x'), made: true });
    expect(warnings).toEqual(['a kept build is not what was written: removed']);
    expect(await cacheOf().get('k', never)).toMatchObject({ made: false });
  });

  it('does not serve another build, whatever its name says', async () => {
    await cacheOf().get('other', making(build('evil')));
    renameSync(join(folder, 'other'), join(folder, 'k'));
    expect(await cacheOf().get('k', making(build('x')))).toEqual({ build: build('x'), made: true });
  });

  it('that a crash has left half written is never read, and is removed in the end', async () => {
    const left = join(folder, 'k.0b5c');
    writeFileSync(left, 'half');
    expect(await cacheOf().get('k', making(build('x')))).toMatchObject({ made: true });
    expect(existsSync(left)).toBe(true); // Somebody may be writing it.
    utimesSync(left, 0, 0);
    await cacheOf().get('l', making(build('x')));
    expect(existsSync(left)).toBe(false);
  });

  it('is nobody else\'s to read', async () => {
    rmSync(folder, { recursive: true });
    await cacheOf().get('k', making(build('x')));
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'k')).mode & 0o777).toBe(0o600);
  });

  it('that cannot be written costs nothing but the next build', async () => {
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'a file in its place');
    expect(await cacheOf().get('k', making(build('x')))).toEqual({ build: build('x'), made: true });
    expect(warnings).toEqual(['a build could not be kept']);
  });
});

describe('a cache that is full', () => {
  const used = (name: string, secondsAgo: number) => utimesSync(join(folder, name), Date.now() / 1000 - secondsAgo, Date.now() / 1000 - secondsAgo);
  const total = () => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

  it('lets go of what was not used for the longest', async () => {
    const cache = cacheOf(100 * KIB);
    for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) {
      await cache.get(name, making(build(name, 10 * KIB)));
      used(name, 100 - i);
    }
    await cache.get('a', never);
    await new Promise((resolve) => setTimeout(resolve, 50)); // The note that it was used is nobody's to wait for.
    for (const name of ['e', 'f', 'g', 'h', 'i', 'j', 'k']) await cache.get(name, making(build(name, 10 * KIB)));
    expect(total()).toBeLessThanOrEqual(100 * KIB);
    expect(existsSync(join(folder, 'a'))).toBe(true);
    expect(existsSync(join(folder, 'b'))).toBe(false);
    expect(existsSync(join(folder, 'k'))).toBe(true);
  });

  it('stays within its bound with several workers', async () => {
    const caches = [cacheOf(100 * KIB), cacheOf(100 * KIB), cacheOf(100 * KIB)];
    await Promise.all(caches.map(async (cache, i) => {
      for (let n = 0; n < 40; n++) await cache.get(`${i}-${n % 20}`, making(build('x', 8 * KIB)));
    }));
    // Each looks again before it has itself written more than a tenth.
    expect(total()).toBeLessThanOrEqual((1 + 0.1 * caches.length) * 100 * KIB);
    expect(warnings).toEqual([]);
  });

  it('does not take one that would put out all others', async () => {
    await cacheOf(100 * KIB).get('k', making(build('x', (100 * KIB) / CACHE_SHARE)));
    expect(readdirSync(folder)).toEqual([]);
  });
});

function change(path: string, edit: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  edit(bytes);
  writeFileSync(path, bytes);
}
