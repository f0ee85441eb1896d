import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { anyCharacter } from '../../../test/lib/any-character.js';
import { encodeRequest, type LauncherRequest } from '../src/launcher-request.js';
import { COMMAND_BYTES, EXECUTABLE_BYTES } from '../src/limits.js';

const request: LauncherRequest = {
  kind: 'build',
  timeLimitMs: 30_000,
  outputLimitBytes: 1024,
  command: ['gprbuild', '-q'],
  files: [{ basename: 'main.adb', contents: 'é' }],
};

interface Frame {
  type: string;
  payload: Buffer;
}

function decode(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at + 1);
    frames.push({ type: bytes.toString('latin1', at, at + 1), payload: bytes.subarray(at + 5, at + 5 + length) });
    at += 5 + length;
  }
  return frames;
}

const encode = (sent: LauncherRequest): Buffer => Buffer.concat([...encodeRequest(sent)]);

function ofType(type: string, sent: LauncherRequest): string[] {
  return decode(encode(sent)).filter((frame) => frame.type === type).map(({ payload }) => payload.toString());
}

describe('a request to the launcher', () => {
  it('is kind and limits, files, words, what to hand back, and GO', () => {
    const frames = decode(encode({ ...request, handBack: 'main' }));
    expect(frames.map(({ type }) => type).join('')).toBe('SFAABG');
    expect(frames[0]?.payload).toEqual(Buffer.from([0x62, 0, 0, 0x75, 0x30, 0, 0, 4, 0, 0, 0, 0, 0, 0]));
    expect(frames[1]?.payload).toEqual(Buffer.from('\x08main.adbé'));
  });

  it('says whether gprbuild is to find its configuration itself', () => {
    const [start] = decode(encode({ ...request, findConfiguration: true }));
    expect(start?.payload.at(9)).toBe(1);
  });

  it('passes on every word as it is', () => {
    const words = fc.array(fc.string({ unit: anyCharacter }).filter((word) => !word.includes('\0')), { minLength: 1 });
    fc.assert(
      fc.property(words, (command) => {
        expect(ofType('A', { ...request, command })).toEqual(command.map((word) => Buffer.from(word).toString()));
      }),
    );
  });

  it('leaves out a file whose name the executable has', () => {
    const files = [{ basename: 'main', contents: 'text' }, { basename: 'a.txt', contents: '' }];
    const run: LauncherRequest = { ...request, kind: 'run', files, executable: { basename: 'main', pieces: [Buffer.from('E'), Buffer.from('LF')] } };
    expect(ofType('F', run)).toEqual(['\x05a.txt']);
    expect(ofType('X', run)).toEqual(['\x04mainELF']);
  });

  it.each(['', '.', '..', 'a/b', 'a\0b', 'é'.repeat(128)])('refuses the file name %j', (basename) => {
    expect(() => encodeRequest({ ...request, files: [{ basename, contents: '' }] })).toThrow(RangeError);
    expect(() => encodeRequest({ ...request, handBack: basename })).toThrow(RangeError);
  });

  it.each(['-o', '--help', ' ', 'a b', '\n', '*', 'é.adb', 'x'.repeat(255)])('takes the file name %j', (basename) => {
    expect(ofType('F', { ...request, files: [{ basename, contents: '' }] })[0]?.slice(1)).toBe(basename);
  });

  it('refuses two files of one name', () => {
    const file = { basename: 'a.adb', contents: '' };
    expect(() => encodeRequest({ ...request, files: [file, file] })).toThrow(RangeError);
  });

  it('refuses a command that no execve would take', () => {
    expect(() => encodeRequest({ ...request, command: [] })).toThrow(RangeError);
    expect(() => encodeRequest({ ...request, command: ['a\0b'] })).toThrow(RangeError);
    expect(() => encodeRequest({ ...request, command: ['x'.repeat(COMMAND_BYTES)] })).toThrow(RangeError);
  });

  it('refuses an executable above the limit', () => {
    const executable = { basename: 'main', pieces: [Buffer.alloc(EXECUTABLE_BYTES), Buffer.from('x')] };
    expect(() => encodeRequest({ ...request, kind: 'run', executable })).toThrow(RangeError);
  });

  it('is one chunk if it is small, and chunks of at most 64 KiB if it is large', () => {
    const sizes = (sent: LauncherRequest) => [...encodeRequest(sent)].map(({ length }) => length);
    expect(sizes(request)).toHaveLength(1);
    const large = sizes({ ...request, files: [{ basename: 'a.h', contents: 'x'.repeat(1 << 20) }] });
    expect(large.length).toBeLessThan(20);
    expect(Math.max(...large)).toBeLessThanOrEqual(64 * 1024);
  });

  it('takes the pieces of an executable as they are, without a copy', () => {
    const pieces = Array.from({ length: 3 }, () => Buffer.alloc(64 * 1024));
    const chunks = [...encodeRequest({ ...request, kind: 'run', executable: { basename: 'main', pieces } })];
    expect(chunks.filter(({ buffer }) => pieces.some((piece) => piece.buffer === buffer))).toHaveLength(3);
  });

  it('encodes each file when the files before it have been taken, so that few are in memory twice', () => {
    let read = 0;
    const file = (basename: string) => ({
      basename,
      get contents() {
        read++;
        return 'x'.repeat(200_000);
      },
    });
    const chunks = encodeRequest({ ...request, files: [file('a.h'), file('b.h'), file('c.h')] })[Symbol.iterator]();
    chunks.next();
    expect(read).toBe(1);
  });

  it('holds limits to what a frame can say', () => {
    const [start] = decode(encode({ ...request, timeLimitMs: 0.5, outputLimitBytes: -1 }));
    expect(start?.payload.readUInt32BE(1)).toBe(1);
    expect(start?.payload.readUInt32BE(5)).toBe(0);
  });
});
