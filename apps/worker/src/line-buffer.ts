/** Bytes as they come, to whole lines of text. Pure. */

/** How much of a line without an end is sent in one part. */
export const LONGEST_LINE_BYTES = 64 * 1024;

const ENCODER = new TextEncoder();

/**
 * Decodes one stream. A character that is split over two chunks stays whole; bytes that are no
 * UTF-8 become U+FFFD. A byte order mark is kept: it is the program's output like the rest.
 */
export class LineBuffer {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  private readonly part: Uint8Array;
  private open = '';
  private openBytes = 0;

  /**
   * `longestBytes`: what a line, written as UTF-8, may have before it is sent in parts; at least 4.
   * `unbroken`: a word that no two parts share, if it is shorter than a part.
   */
  constructor(
    private readonly longestBytes = LONGEST_LINE_BYTES,
    private readonly unbroken = '',
  ) {
    this.part = new Uint8Array(longestBytes);
  }

  /**
   * The lines that `bytes` completes, with their line ends and as many in one piece as a part may
   * have (a part of a long line ends without one).
   */
  push(bytes: Uint8Array): string[] {
    return this.take(this.decoder.decode(bytes, { stream: true }));
  }

  /** When the stream has ended: what is left without a line end. */
  end(): string[] {
    const lines = this.take(this.decoder.decode());
    if (this.open !== '') lines.push(this.open);
    this.keep('');
    return lines;
  }

  private take(text: string): string[] {
    const bytes = Buffer.byteLength(text);
    // A program that writes byte by byte must not have its open line searched anew for each of them.
    if (!text.includes('\n') && this.openBytes + bytes <= this.longestBytes) {
      this.open += text;
      this.openBytes += bytes;
      return [];
    }
    return this.cut(this.open + text, this.openBytes + bytes);
  }

  /** Not line by line: a program that puts out nothing but line ends must not cost more than others. */
  private cut(text: string, bytes: number): string[] {
    const pieces: string[] = [];
    let rest = text;
    let left = bytes;
    while (left > this.longestBytes) {
      const { read, written } = ENCODER.encodeInto(rest, this.part);
      // Whole lines, or else whole characters, as many as there is room for.
      const end = rest.lastIndexOf('\n', read - 1) + 1 || read - this.begun(rest, read) || read;
      const piece = rest.slice(0, end);
      pieces.push(piece);
      rest = rest.slice(end);
      left -= end === read ? written : Buffer.byteLength(piece);
    }
    const end = rest.lastIndexOf('\n') + 1;
    if (end > 0) pieces.push(rest.slice(0, end));
    this.keep(rest.slice(end));
    return pieces;
  }

  /** How much of the unbroken word stands before `end`, where its rest may follow. */
  private begun(text: string, end: number): number {
    if (text.endsWith(this.unbroken, end)) return 0;
    let length = this.unbroken.length - 1;
    while (!text.endsWith(this.unbroken.slice(0, length), end)) length--;
    return length;
  }

  private keep(open: string): void {
    this.open = open;
    this.openBytes = Buffer.byteLength(open);
  }
}
