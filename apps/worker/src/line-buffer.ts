/** Bytes as they come, to whole lines of text. Pure. */

/** How much of a line without an end is sent in one part. */
export const LONGEST_LINE_BYTES = 64 * 1024;

/**
 * Decodes one stream. A character that is split over two chunks stays whole; bytes that are no
 * UTF-8 become U+FFFD. A byte order mark is kept: it is the program's output like the rest.
 */
export class LineBuffer {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  private readonly part: Uint8Array;
  private open = '';
  private openBytes = 0;

  /** `longestBytes`: what a line, written as UTF-8, may have before it is sent in parts; at least 4. */
  constructor(private readonly longestBytes = LONGEST_LINE_BYTES) {
    this.part = new Uint8Array(longestBytes);
  }

  /** The lines that `bytes` completes, each with its line end (a part of a long line has none). */
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
    const lines = (this.open + text).split(/(?<=\n)/).flatMap((line) => this.parts(line));
    this.keep(lines.at(-1)?.endsWith('\n') ? '' : (lines.pop() ?? ''));
    return lines;
  }

  private keep(open: string): void {
    this.open = open;
    this.openBytes = Buffer.byteLength(open);
  }

  private parts(line: string): string[] {
    const cut: string[] = [];
    let rest = line;
    while (Buffer.byteLength(rest) > this.longestBytes) {
      // Takes whole characters alone, as many as there is room for.
      const { read } = ENCODER.encodeInto(rest, this.part);
      cut.push(rest.slice(0, read));
      rest = rest.slice(read);
    }
    return [...cut, rest];
  }
}

const ENCODER = new TextEncoder();
