/** Decides which builds may be cached: their result must depend on their sources alone. */
import type { SourceFile } from '@code-widgets/project';
import { isReproducibleAda } from './reproducible-ada.js';
import { isReproducibleC } from './reproducible-c.js';

/** Checking this much takes 0.1 s, in which the worker's event loop is blocked. */
const MAX_CHARACTERS = 500_000;
const ADA = /\.ad[bs]$/;
/** Sources of C and C++, and files that they may include. */
const C = /\.(?:c|cc|cp|cpp|cxx|c\+\+|h|hh|hpp|hxx|h\+\+|inc|inl|ipp|tpp|tcc|def)$/;

/**
 * Control characters except tab and line end, and Unicode's line ends. GNAT ends a line at some, GCC at a lone CR. GCC
 * also skips some between a backslash and the line end.
 */
const UNUSUAL = /[\0-\x08\v\f\x0e-\x1f\x7f\x85\u2028\u2029]|\r(?!\n)/;

/**
 * Whether one image always builds these files with one result. Everything in a source that could matter must be known
 * to be harmless: a wrong `false` costs a second build, a wrong `true` shows one user the time or a file's content from
 * another user's build.
 */
export function isReproducible(files: readonly SourceFile[]): boolean {
  if (files.reduce((sum, { contents }) => sum + contents.length, 0) > MAX_CHARACTERS) return false;
  // With #pragma once, GCC treats files with equal text and modification time (in seconds) as one file.
  if (new Set(files.map(({ contents }) => contents)).size < files.length) return false;
  const names = files.map(({ basename }) => basename);
  const own = { headers: new Set(names.filter((name) => C.test(name))), names: new Set(names) };
  return files.every(({ basename, contents }) => {
    const isAda = ADA.test(basename);
    // No tool reads other files, and a C source may not include them.
    if (!isAda && !C.test(basename)) return true;
    return !UNUSUAL.test(contents) && (isAda ? isReproducibleAda(contents) : isReproducibleC(contents, own));
  });
}
