import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { byteLength, ByteCollector } from '../src/byte-pieces.js';

const KIB = 1024;

function collect(chunks: readonly Uint8Array[]): ByteCollector {
  const collector = new ByteCollector();
  for (const chunk of chunks) collector.add(Buffer.from(chunk));
  return collector;
}

describe('collected bytes', () => {
  it('are the added bytes in order', () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 20_000 }), { maxLength: 20 });
    fc.assert(
      fc.property(chunks, (added) => {
        const collector = collect(added);
        expect(Buffer.concat(collector.pieces()).equals(Buffer.concat(added))).toBe(true);
        expect(byteLength(collector.pieces())).toBe(collector.length);
      }),
    );
  });

  it('are copies, which keep no chunk of the connection in memory', () => {
    const chunk = Buffer.alloc(64 * KIB, 'a');
    const collector = collect([]);
    collector.add(chunk.subarray(0, 3));
    chunk.fill('b');
    const [piece] = collector.pieces();
    expect(piece?.toString()).toBe('aaa');
    expect(piece?.buffer.byteLength).toBeLessThanOrEqual(4 * KIB);
  });

  it('use few pieces for many small chunks', () => {
    const collector = collect(Array.from({ length: 200 * KIB }, () => Buffer.from('x')));
    const pieces = collector.pieces();
    expect(pieces.length).toBeLessThan(10);
    const held = pieces.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
    expect(held).toBeLessThan(collector.length + 64 * KIB);
  });

  it('have no pieces if nothing was added', () => {
    expect(collect([Buffer.alloc(0)]).pieces()).toEqual([]);
  });
});
