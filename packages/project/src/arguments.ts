/** Arguments of programs, from cli.txt and lab_io.txt. */
import { ProjectError } from './project-error.js';

/** Splits at white space. Quotes, wildcards and `$` have no special meaning. */
export function splitArguments(text: string): string[] {
  return text.match(/\S+/g) ?? [];
}

/** @throws ProjectError if the operating system cannot pass one of `words` to a program */
export function checkArguments(words: readonly string[], path: string, maxBytes: number): void {
  for (const word of words) {
    if (word.includes('\0')) throw new ProjectError('An argument has a NUL character; leave it out', path);
    if (Buffer.byteLength(word) > maxBytes) {
      throw new ProjectError(`An argument has more than ${maxBytes} bytes; make it shorter`, path);
    }
  }
}
