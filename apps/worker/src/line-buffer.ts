/** Bytes as they come, to whole lines of text. Pure. */

/** A line without an end is sent in parts of so many UTF-16 units. */
export const LONGEST_LINE = 64 * 1024;

/**
 * Decodes one stream. A character that is split over two chunks stays whole; bytes that are no
 * UTF-8 become U+FFFD. A byte order mark is kept: it is the program's output like the rest.
 */
export class LineBuffer {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  private open = '';

  /** The lines that `bytes` completes, each with its line end (a part of a long line has none). */
  push(bytes: Uint8Array): string[] {
    return this.take(this.decoder.decode(bytes, { stream: true }));
  }

  /** When the stream has ended: what is left without a line end. */
  end(): string[] {
    const lines = this.take(this.decoder.decode());
    if (this.open !== '') lines.push(this.open);
    this.open = '';
    return lines;
  }

  private take(text: string): string[] {
    // A program that writes byte by byte must not have its open line searched anew for each of them.
    if (!text.includes('\n') && this.open.length + text.length <= LONGEST_LINE) {
      this.open += text;
      return [];
    }
    const lines = (this.open + text).split(/(?<=\n)/).flatMap(parts);
    this.open = lines.at(-1)?.endsWith('\n') ? '' : (lines.pop() ?? '');
    return lines;
  }
}

function parts(line: string): string[] {
  const cut: string[] = [];
  let rest = line;
  while (rest.length > LONGEST_LINE) {
    // Never between the two halves of a character outside the basic plane.
    const splitsPair = /[\uD800-\uDBFF]/.test(rest[LONGEST_LINE - 1] as string);
    const at = splitsPair ? LONGEST_LINE - 1 : LONGEST_LINE;
    cut.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  return [...cut, rest];
}
