/** Words of cli.txt and lab_io.txt as the arguments of a program. */
import { ProjectError } from './project-error.js';

/** `text` split at white space. Nothing in it is special: quotes, wildcards and `$` stay as they are. */
export function splitArguments(text: string): string[] {
  return text.match(/\S+/g) ?? [];
}

/** Throws if the operating system could not hand one of `words` to a program. */
export function checkArguments(words: readonly string[], path: string, maxBytes: number): void {
  for (const word of words) {
    if (word.includes('\0')) throw new ProjectError('An argument has a NUL character; leave it out', path);
    if (Buffer.byteLength(word) > maxBytes) {
      throw new ProjectError(`An argument has more than ${maxBytes} bytes; make it shorter`, path);
    }
  }
}
