import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { anyCharacter } from '../../../test/lib/any-character.js';
import type { Job } from '../src/job.js';
import { BUILDER, FIRST_RUNNER, RUNNERS, START_BYTES } from '../src/launcher-protocol.js';
import { encodeRequest } from '../src/launcher-request.js';
import { COMMAND_BYTES, EXECUTABLE_BYTES } from '../src/limits.js';
import { jobOf, PROGRAM, TOOL } from './profiles.js';

const job = jobOf(TOOL, {
  argv: ['gprbuild', '-q'],
  files: [{ basename: 'main.adb', contents: 'é' }],
  limits: { timeMs: 30_000, outputBytes: 1024 },
});

interface Frame {
  type: string;
  payload: Buffer;
}

function decode(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at + 1);
    frames.push({ type: bytes.toString('latin1', at, at + 1), payload: bytes.subarray(at + 5, at + 5 + length) });
    at += 5 + length;
  }
  return frames;
}

const encode = (sent: Job, inspect?: boolean): Buffer => Buffer.concat([...encodeRequest(sent, inspect)]);

function ofType(type: string, sent: Job): string[] {
  return decode(encode(sent))
    .filter((frame) => frame.type === type)
    .map(({ payload }) => payload.toString());
}

/** Decodes the fields of START. */
function startOf(sent: Job, inspect?: boolean) {
  const [start] = decode(encode(sent, inspect));
  const payload = start?.payload ?? Buffer.alloc(0);
  expect([start?.type, payload.length]).toEqual(['S', START_BYTES]);
  const [user, timeMs, outputBytes, roomBytes] = [1, 5, 9, 13].map((at) => payload.readUInt32BE(at));
  return {
    confinement: payload.toString('latin1', 0, 1),
    user,
    timeMs,
    outputBytes,
    roomBytes,
    flags: payload.readUInt8(17),
  };
}

describe('START', () => {
  it('contains confinement, user, limits, file space and flags', () => {
    const [start] = decode(encode(job));
    expect(start?.payload).toEqual(Buffer.from([0x74, 0, 0, 0x27, 0x11, 0, 0, 0x75, 0x30, 0, 0, 4, 0, 8, 0, 0, 0, 0]));
    expect(startOf(job)).toEqual({
      confinement: 't',
      user: BUILDER,
      timeMs: 30_000,
      outputBytes: 1024,
      roomBytes: TOOL.writableBytes,
      flags: 0,
    });
  });

  it('contains the inspection flag if requested', () => {
    expect(startOf(job, true).flags).toBe(1);
  });

  it('gives each program its own user from the range for programs', () => {
    const starts = Array.from({ length: 200 }, () => startOf(jobOf(PROGRAM)));
    for (const { confinement, user = 0 } of starts) {
      expect(confinement).toBe('p');
      expect(user).toBeGreaterThanOrEqual(FIRST_RUNNER);
      expect(user).toBeLessThan(FIRST_RUNNER + RUNNERS);
    }
    expect(new Set(starts.map(({ user }) => user)).size).toBeGreaterThan(150);
  });

  it('limits values to the range of a frame', () => {
    const limits = { timeMs: 0.5, outputBytes: -1 };
    expect(startOf({ ...job, limits })).toMatchObject({ timeMs: 1, outputBytes: 0 });
    const profile = { ...TOOL, writableBytes: 2 ** 40 };
    expect(startOf({ ...job, profile, limits: { timeMs: 2 ** 40, outputBytes: 2 ** 40 } })).toMatchObject({
      timeMs: 0xffff_ffff,
      outputBytes: 0xffff_ffff,
      roomBytes: 0xffff_ffff,
    });
  });
});

describe('the variables of a request', () => {
  it("contain the profile's variables, overridden by the job's", () => {
    const environment = { LANG: 'C', GPR_CONFIG: '/etc/a=b' };
    expect(ofType('V', { ...job, environment })).toEqual(['HOME=/home', 'LANG=C', 'GPR_CONFIG=/etc/a=b']);
    expect(ofType('V', jobOf(PROGRAM, { environment: { PATH: '' } }))).toEqual(['PATH=']);
  });

  it.each([
    ['a variable that no launcher accepts', TOOL, { LD_PRELOAD: '/x.so' }],
    ['PATH of a tool, which its image sets', TOOL, { PATH: '/x' }],
    ['a variable only for tools', PROGRAM, { GPR_CONFIG: '/x' }],
    ['a name in another case', TOOL, { home: '/x' }],
    ['a name that contains a value', TOOL, { 'HOME=/x;LANG': 'C' }],
    ['no name', TOOL, { '': 'x' }],
    ['a value with a NUL', TOOL, { HOME: 'a\0b' }],
  ])('may not be %s', (_, profile, environment) => {
    expect(() => encodeRequest(jobOf(profile, { environment }))).toThrow(RangeError);
    expect(() => encodeRequest(jobOf({ ...profile, environment }))).toThrow(RangeError);
  });
});

describe('a request to the launcher', () => {
  it('consists of START, variables, files, words, the file to return, and GO', () => {
    const frames = decode(encode({ ...job, copyOut: 'main' }));
    expect(frames.map(({ type }) => type).join('')).toBe('SVVFAABG');
    expect(frames[3]?.payload).toEqual(Buffer.from('\x08main.adbé'));
  });

  it('passes on every word unchanged', () => {
    const words = fc.array(
      fc.string({ unit: anyCharacter }).filter((word) => !word.includes('\0')),
      { minLength: 1 },
    );
    fc.assert(
      fc.property(words, (argv) => {
        expect(ofType('A', { ...job, argv })).toEqual(argv.map((word) => Buffer.from(word).toString()));
      }),
    );
  });

  it("omits a file with the executable's name", () => {
    const files = [
      { basename: 'main', contents: 'text' },
      { basename: 'a.txt', contents: '' },
    ];
    const run = jobOf(PROGRAM, { files, copyIn: { basename: 'main', pieces: [Buffer.from('E'), Buffer.from('LF')] } });
    expect(ofType('F', run)).toEqual(['\x05a.txt']);
    expect(ofType('X', run)).toEqual(['\x04mainELF']);
  });

  it.each(['', '.', '..', 'a/b', 'a\0b', 'é'.repeat(128)])('refuses the file name %j', (basename) => {
    expect(() => encodeRequest({ ...job, files: [{ basename, contents: '' }] })).toThrow(RangeError);
    expect(() => encodeRequest({ ...job, copyOut: basename })).toThrow(RangeError);
  });

  it.each(['-o', '--help', ' ', 'a b', '\n', '*', 'é.adb', 'x'.repeat(255)])('takes the file name %j', (basename) => {
    expect(ofType('F', { ...job, files: [{ basename, contents: '' }] })[0]?.slice(1)).toBe(basename);
  });

  it('refuses two files with the same name', () => {
    const file = { basename: 'a.adb', contents: '' };
    expect(() => encodeRequest({ ...job, files: [file, file] })).toThrow(RangeError);
  });

  it('refuses a command that execve would refuse', () => {
    expect(() => encodeRequest({ ...job, argv: [] })).toThrow(RangeError);
    expect(() => encodeRequest({ ...job, argv: ['a\0b'] })).toThrow(RangeError);
    expect(() => encodeRequest({ ...job, argv: ['x'.repeat(COMMAND_BYTES)] })).toThrow(RangeError);
  });

  it('refuses an executable over the limit', () => {
    const copyIn = { basename: 'main', pieces: [Buffer.alloc(EXECUTABLE_BYTES), Buffer.from('x')] };
    expect(() => encodeRequest({ ...job, copyIn })).toThrow(RangeError);
  });

  it('is one chunk if small, and chunks of at most 64 KiB if large', () => {
    const sizes = (sent: Job) => [...encodeRequest(sent)].map(({ length }) => length);
    expect(sizes(job)).toHaveLength(1);
    const large = sizes({ ...job, files: [{ basename: 'a.h', contents: 'x'.repeat(1 << 20) }] });
    expect(large.length).toBeLessThan(20);
    expect(Math.max(...large)).toBeLessThanOrEqual(64 * 1024);
  });

  it("uses the executable's pieces without a copy", () => {
    const pieces = Array.from({ length: 3 }, () => Buffer.alloc(64 * 1024));
    const chunks = [...encodeRequest({ ...job, copyIn: { basename: 'main', pieces } })];
    expect(chunks.filter(({ buffer }) => pieces.some((piece) => piece.buffer === buffer))).toHaveLength(3);
  });

  it('encodes each file only after the previous one was consumed, to save memory', () => {
    let read = 0;
    const file = (basename: string) => ({
      basename,
      get contents() {
        read++;
        return 'x'.repeat(200_000);
      },
    });
    const chunks = encodeRequest({ ...job, files: [file('a.h'), file('b.h'), file('c.h')] })[Symbol.iterator]();
    chunks.next();
    expect(read).toBe(1);
  });
});
