import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
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

function ofType(type: string, sent: LauncherRequest): string[] {
  return decode(encodeRequest(sent)).filter((frame) => frame.type === type).map(({ payload }) => payload.toString());
}

describe('a request to the launcher', () => {
  it('is kind and limits, files, words, what to hand back, and GO', () => {
    const frames = decode(encodeRequest({ ...request, handBack: 'main' }));
    expect(frames.map(({ type }) => type).join('')).toBe('SFAABG');
    expect(frames[0]?.payload).toEqual(Buffer.from([0x62, 0, 0, 0x75, 0x30, 0, 0, 4, 0, 0, 0, 0, 0, 0]));
    expect(frames[1]?.payload).toEqual(Buffer.from('\x08main.adbé'));
  });

  it('says whether gprbuild is to find its configuration itself', () => {
    const [start] = decode(encodeRequest({ ...request, findConfiguration: true }));
    expect(start?.payload.at(9)).toBe(1);
  });

  it('passes on every word as it is', () => {
    const words = fc.array(fc.string({ unit: 'binary' }).filter((word) => !word.includes('\0')), { minLength: 1 });
    fc.assert(
      fc.property(words, (command) => {
        expect(ofType('A', { ...request, command })).toEqual(command.map((word) => Buffer.from(word).toString()));
      }),
    );
  });

  it('leaves out a file whose name the executable has', () => {
    const files = [{ basename: 'main', contents: 'text' }, { basename: 'a.txt', contents: '' }];
    const run: LauncherRequest = { ...request, kind: 'run', files, executable: { basename: 'main', bytes: Buffer.from('ELF') } };
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
    const executable = { basename: 'main', bytes: Buffer.alloc(EXECUTABLE_BYTES + 1) };
    expect(() => encodeRequest({ ...request, kind: 'run', executable })).toThrow(RangeError);
  });

  it('holds limits to what a frame can say', () => {
    const [start] = decode(encodeRequest({ ...request, timeLimitMs: 0.5, outputLimitBytes: -1 }));
    expect(start?.payload.readUInt32BE(1)).toBe(1);
    expect(start?.payload.readUInt32BE(5)).toBe(0);
  });
});
