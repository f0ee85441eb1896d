/** Splits bytes into lines of text. Pure. */

export const LONGEST_LINE_BYTES = 64 * 1024;

const ENCODER = new TextEncoder();

/** Keeps characters whole across chunks, replaces invalid UTF-8 by U+FFFD, and keeps a byte order mark. */
export class LineBuffer {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  private readonly part: Uint8Array;
  private open = '';
  private openBytes = 0;

  /** A line with more than `longestBytes` of UTF-8 (at least 4) is sent in parts. `unbroken` is never cut. */
  constructor(
    private readonly longestBytes = LONGEST_LINE_BYTES,
    private readonly unbroken = '',
  ) {
    this.part = new Uint8Array(longestBytes);
  }

  /** Lines that `bytes` complete, with line ends. A string may have several. A part of a long line has no line end. */
  push(bytes: Uint8Array): string[] {
    return this.append(this.decoder.decode(bytes, { stream: true }));
  }

  /** Returns the rest, without a line end. Call it at the end of the stream. */
  end(): string[] {
    const lines = this.append(this.decoder.decode());
    if (this.open !== '') lines.push(this.open);
    this.setOpen('');
    return lines;
  }

  private append(text: string): string[] {
    const bytes = Buffer.byteLength(text);
    // A short way for output that comes byte by byte: the open line is not searched again for each byte.
    if (!text.includes('\n') && this.openBytes + bytes <= this.longestBytes) {
      this.open += text;
      this.openBytes += bytes;
      return [];
    }
    return this.cut(this.open + text, this.openBytes + bytes);
  }

  /** Cuts off whole lines, several at once, so that output of empty lines costs no more than other output. */
  private cut(text: string, bytes: number): string[] {
    const pieces: string[] = [];
    let rest = text;
    let left = bytes;
    while (left > this.longestBytes) {
      const { read, written } = ENCODER.encodeInto(rest, this.part);
      // Whole lines if there is a line end, otherwise whole characters.
      const end = rest.lastIndexOf('\n', read - 1) + 1 || read - this.unfinishedLength(rest, read) || read;
      const piece = rest.slice(0, end);
      pieces.push(piece);
      rest = rest.slice(end);
      left -= end === read ? written : Buffer.byteLength(piece);
    }
    const end = rest.lastIndexOf('\n') + 1;
    if (end > 0) pieces.push(rest.slice(0, end));
    this.setOpen(rest.slice(end));
    return pieces;
  }

  /** Length of the first part of `unbroken` that stands before `end`; 0 if all of it or nothing of it does. */
  private unfinishedLength(text: string, end: number): number {
    if (text.endsWith(this.unbroken, end)) return 0;
    let length = this.unbroken.length - 1;
    while (!text.endsWith(this.unbroken.slice(0, length), end)) length--;
    return length;
  }

  private setOpen(open: string): void {
    this.open = open;
    this.openBytes = Buffer.byteLength(open);
  }
}
