/** Decides which builds may be kept: those whose result depends on their sources alone. */
import type { SourceFile } from '@code-widgets/project';
import { isReproducibleAda } from './reproducible-ada.js';
import { isReproducibleC } from './reproducible-c.js';

/** More is not looked through: it would take 0.1 s, in which the worker does nothing else. */
const MAX_CHARACTERS = 500_000;
const ADA = /\.ad[bs]$/;
/** What the compilers take for C and C++, and what such a source may include. */
const C = /\.(?:c|cc|cp|cpp|cxx|c\+\+|h|hh|hpp|hxx|h\+\+|inc|inl|ipp|tpp|tcc|def)$/;

/**
 * Control characters other than tab and line end, and Unicode's line ends. GNAT ends a line at some of
 * them, GCC at a lone CR; GCC also skips them between a backslash and the end of its line.
 */
const UNUSUAL = /[\0-\x08\v\f\x0e-\x1f\x7f\x85\u2028\u2029]|\r(?!\n)/;

/**
 * Whether these files give the same build whenever they are built by the same image. A source passes
 * only if everything in it that could matter is known to be harmless: a wrong `false` costs a second
 * build, a wrong `true` shows one user the time or a file's content from another user's build.
 */
export function isReproducible(files: readonly SourceFile[]): boolean {
  if (files.reduce((sum, { contents }) => sum + contents.length, 0) > MAX_CHARACTERS) return false;
  // With #pragma once, GCC takes two files of the same text and the same second of writing for one.
  if (new Set(files.map(({ contents }) => contents)).size < files.length) return false;
  const names = files.map(({ basename }) => basename);
  const own = { headers: new Set(names.filter((name) => C.test(name))), names: new Set(names) };
  return files.every(({ basename, contents }) => {
    const isAda = ADA.test(basename);
    // No tool reads any other file: a C source may not include it.
    if (!isAda && !C.test(basename)) return true;
    return !UNUSUAL.test(contents) && (isAda ? isReproducibleAda(contents) : isReproducibleC(contents, own));
  });
}
