/** Which builds may be remembered: those that come out the same whenever they are made. */
import type { SourceFile } from './launcher-request.js';

/**
 * What asks a compiler for the time, or for what is in the container at the moment: C's macros, also
 * where they might be pasted together; GNAT's Source_Info; files that lie elsewhere, or whose name
 * is made up; assembler, which can read files.
 */
const TIME = /__(?:DATE|TIME|TIMESTAMP)__|Source_Info|Compilation_(?:ISO_)?(?:Date|Time)|\bGCC\s+dependency\b/i;
const PASTED = /##|%:%:|\?\?=/;
const INCLUDE = /(?:#|%:)\s*(?:include|include_next|import|embed)\b\s*/.source;
const READS = new RegExp(`${INCLUDE}(?![<"])\\S|${INCLUDE}[<"](?:\\s*/|[^">\\n]*\\.\\.)|\\bincbin\\b|\\b(?:asm|__asm|__asm__)\\b`);

/** False for some builds that are reproducible all the same: those are merely made again. */
export function isReproducible(files: readonly SourceFile[]): boolean {
  return files.every(({ contents }) => {
    // C joins lines before it looks for words.
    const text = contents.replace(/(?:\\|\?\?\/)[ \t]*\r?\n/g, '');
    return !TIME.test(text) && !PASTED.test(text) && !READS.test(text);
  });
}
