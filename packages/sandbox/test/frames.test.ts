import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  createDockerReader,
  createLauncherReader,
  InvalidFrame,
  type ChunkReader,
  type LauncherFrame,
  type OutputStream,
} from '../src/frames.js';
import { LAUNCHER_FRAME_BYTES } from '../src/limits.js';

function dockerFrame(stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

function launcherFrame(type: string, payload: Buffer, length = payload.length): Buffer {
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeUInt32BE(length, 1);
  return Buffer.concat([header, payload]);
}

/** Cuts bytes at the given places, in any order and number. */
function cut(bytes: Buffer, places: number[]): Buffer[] {
  const sorted = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  return [...sorted, bytes.length].map((end, i) => bytes.subarray(sorted[i - 1] ?? 0, end));
}

function readDocker(chunks: Buffer[]): Record<OutputStream, string> {
  const seen = { stdout: '', stderr: '' };
  const read = createDockerReader((stream, bytes) => {
    seen[stream] += bytes.toString('hex');
  });
  chunks.forEach(read);
  return seen;
}

function readLauncher(chunks: Buffer[]): LauncherFrame[] {
  const frames: LauncherFrame[] = [];
  // Copies the bytes, since a frame may share memory with its chunk.
  const read = createLauncherReader((frame) =>
    frames.push('bytes' in frame ? { ...frame, bytes: Buffer.from(frame.bytes) } : frame),
  );
  chunks.forEach(read);
  return frames;
}

const payload = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const places = fc.array(fc.nat(), { maxLength: 40 });

describe("Docker's stream frames", () => {
  it('are read correctly in chunks of any size', () => {
    const frames = fc.array(fc.tuple(fc.constantFrom(1, 2), payload), { maxLength: 20 });
    fc.assert(
      fc.property(frames, places, (sent, at) => {
        const bytes = Buffer.concat(sent.map(([stream, data]) => dockerFrame(stream, data)));
        const of = (stream: number) =>
          Buffer.concat(sent.filter(([s]) => s === stream).map(([, data]) => data)).toString('hex');
        expect(readDocker(cut(bytes, at))).toEqual({ stdout: of(1), stderr: of(2) });
      }),
    );
  });

  it('are read in linear time', () => {
    const chunk = Buffer.concat(Array.from({ length: 200_000 }, () => dockerFrame(1, Buffer.from('x'))));
    expect(readDocker([chunk]).stdout).toHaveLength(400_000);
  });

  it.each([0, 3, 255])('are refused for stream %i', (stream) => {
    expect(() => readDocker([dockerFrame(stream, Buffer.from('x'))])).toThrow(InvalidFrame);
  });

  it('may announce 4 GiB without an allocation', () => {
    const header = Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    expect(readDocker([header, Buffer.from('ab')]).stdout).toBe('6162');
  });
});

describe("the launcher's frames", () => {
  it('are read correctly in chunks of any size', () => {
    const types = { o: 'stdout', e: 'stderr', x: 'executable' } as const;
    const frames = fc.array(fc.tuple(fc.constantFrom('o' as const, 'e' as const, 'x' as const), payload), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(frames, places, (sent, at) => {
        const bytes = Buffer.concat(sent.map(([type, data]) => launcherFrame(type, data)));
        expect(readLauncher(cut(bytes, at))).toEqual(sent.map(([type, data]) => ({ type: types[type], bytes: data })));
      }),
    );
  });

  it('report how the command ended', () => {
    const end = Buffer.from([0x74, 0, 0, 0, 137, 0, 0, 0x27, 0x10]);
    expect(readLauncher([launcherFrame('s', end)])).toEqual([
      { type: 'status', reason: 'time', status: 137, ms: 10_000 },
    ]);
  });

  it("report the launcher's version", () => {
    expect(readLauncher([launcherFrame('r', Buffer.of(7))])).toEqual([{ type: 'ready', version: 7 }]);
  });

  it('may be as large as the limit; the header of a larger frame is refused', () => {
    const largest = launcherFrame('o', Buffer.alloc(LAUNCHER_FRAME_BYTES));
    expect(readLauncher([largest])).toHaveLength(1);
    const header = launcherFrame('o', Buffer.alloc(0), LAUNCHER_FRAME_BYTES + 1);
    expect(() => readLauncher([header])).toThrow(InvalidFrame);
  });

  it.each([
    ['an unknown type', launcherFrame('?', Buffer.alloc(1))],
    ['a status that is too short', launcherFrame('s', Buffer.from('e'))],
    ['a status with an unknown reason', launcherFrame('s', Buffer.alloc(9))],
    ['an empty ready frame', launcherFrame('r', Buffer.alloc(0))],
  ])('are refused: %s', (_, bytes) => {
    expect(() => readLauncher([bytes])).toThrow(InvalidFrame);
  });
});

describe('arbitrary bytes', () => {
  const readers: [string, () => ChunkReader][] = [
    ["Docker's reader", () => createDockerReader(() => undefined)],
    ["the launcher's reader", () => createLauncherReader(() => undefined)],
  ];

  it.each(readers)('are accepted or refused by %s, without another error', (_, create) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4096 }), places, (bytes, at) => {
        const read = create();
        try {
          cut(Buffer.from(bytes), at).forEach(read);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidFrame);
        }
      }),
    );
  });
});
