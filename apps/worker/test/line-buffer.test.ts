import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { anyCharacter } from '../../../test/lib/any-character.js';
import { LineBuffer, LONGEST_LINE_BYTES } from '../src/line-buffer.js';

function feed(chunks: Uint8Array[], longestBytes?: number, unbroken?: string): string[] {
  const buffer = new LineBuffer(longestBytes, unbroken);
  return [...chunks.flatMap((chunk) => buffer.push(chunk)), ...buffer.end()];
}
const bytes = (text: string) => Buffer.from(text);
/** Splits `all` at the given places. */
function chunked(all: Buffer, cuts: number[]): Buffer[] {
  const places = [...cuts.map((cut) => cut % (all.length + 1)).sort((a, b) => a - b), all.length];
  return places.map((end, i) => all.subarray(i === 0 ? 0 : places[i - 1], end));
}

describe('a line buffer', () => {
  it('returns completed lines, and the rest at the end', () => {
    const buffer = new LineBuffer();
    expect(buffer.push(bytes('he'))).toEqual([]);
    expect(buffer.push(bytes('ad\ntail'))).toEqual(['head\n']);
    expect(buffer.push(bytes(' and its end\n\nlast'))).toEqual(['tail and its end\n\n']);
    expect(buffer.end()).toEqual(['last']);
    expect(buffer.end()).toEqual([]);
  });

  it('keeps a character together that is split across chunks', () => {
    const snowman = bytes('☃😀\n');
    expect(feed([...snowman].map((byte) => Uint8Array.of(byte)))).toEqual(['☃😀\n']);
  });

  it('replaces invalid UTF-8, also at the end', () => {
    expect(feed([Buffer.from([0x63, 0xe9, 0x0a, 0xe2, 0x98])])).toEqual(['c\ufffd\n', '\ufffd']);
  });

  it('keeps carriage returns, control characters and a byte order mark', () => {
    expect(feed([bytes('\ufeffa\r\nb\u001b[31m\u0000\n')])).toEqual(['\ufeffa\r\nb\u001b[31m\u0000\n']);
  });

  it('sends a long line in parts without splitting a character', () => {
    const line = `x${'😀'.repeat(LONGEST_LINE_BYTES)}`;
    const parts = feed([bytes(line)]);
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.every((part) => Buffer.byteLength(part) <= LONGEST_LINE_BYTES && part.isWellFormed())).toBe(true);
    expect(parts.join('')).toBe(line);
  });

  it('cuts after the last line that fits, and inside a line only if it is too long', () => {
    const text = `${'a\n'.repeat(7)}bbb\n${'c'.repeat(40)}\nd\ne`;
    expect(feed([bytes(text)], 16)).toEqual([
      'a\n'.repeat(7),
      'bbb\n',
      'c'.repeat(16),
      'c'.repeat(16),
      `${'c'.repeat(8)}\nd\n`,
      'e',
    ]);
  });

  it('does not cut inside a protected word, and keeps the size', () => {
    const word = '/ws/';
    for (let before = 0; before <= 40; before++) {
      const text = `${'x'.repeat(before)}${word}${'y'.repeat(40 - before)}`;
      const pieces = feed([bytes(text)], 16, word);
      expect(pieces.join('')).toBe(text);
      expect(pieces.map((piece) => piece.replaceAll(word, '')).join('')).toBe(text.replace(word, ''));
      expect(pieces.every((piece) => piece.length <= 16)).toBe(true);
    }
    expect(feed([bytes('/ws/ws/ws/ws/ws/ws/ws')], 4, word).join('')).toBe('/ws/ws/ws/ws/ws/ws/ws');
    expect(feed([bytes('/workspace')], 4, '/workspace/')).toEqual(['/wor', 'kspa', 'ce']);
  });

  it('keeps every piece within its size, and does not cut a line that fits', () => {
    const lines = fc.array(fc.string({ unit: anyCharacter, maxLength: 12 }), { maxLength: 40 });
    fc.assert(
      fc.property(lines, fc.array(fc.nat(), { maxLength: 20 }), (some, cuts) => {
        const text = some.map((line) => `${line.toWellFormed()}\n`).join('');
        const pieces = feed(chunked(bytes(text), cuts), 16);
        expect(pieces.join('')).toBe(text);
        for (const piece of pieces) expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(16);
        if (text.split('\n').every((line) => Buffer.byteLength(line) < 16))
          expect(pieces.every((piece) => piece.endsWith('\n'))).toBe(true);
      }),
    );
  });

  it('loses and adds nothing for any chunks', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: anyCharacter, maxLength: 400 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (text, cuts) => {
          const lines = feed(chunked(bytes(text), cuts));
          expect(lines.join('')).toBe(bytes(text).toString());
          expect(lines.every((line, i) => line.endsWith('\n') || i === lines.length - 1)).toBe(true);
        },
      ),
    );
  });

  it('decodes any bytes as if they had arrived in one piece', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(), { maxLength: 20 }), (all, cuts) => {
        const expected = new TextDecoder('utf-8', { ignoreBOM: true }).decode(all);
        expect(feed(chunked(Buffer.from(all), cuts)).join('')).toBe(expected);
      }),
    );
  });
});
