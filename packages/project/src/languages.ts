/** The table of languages and file endings. */
import type { SourceFile } from './source-file.js';

export interface SourceKind {
  /** The project file's name for it. */
  readonly language: string;
  /** gprbuild compiles nothing from a header. It compiles an Ada specification. */
  readonly isHeader: boolean;
  /** gprbuild does not know the ending, so the project file must list each such file. */
  readonly isListed: boolean;
}

/** In the order of the project file. */
const LANGUAGES = [
  { language: 'Ada', compiled: ['.adb', '.ads'], headers: [], listed: [], listedHeaders: [] },
  { language: 'c', compiled: ['.c'], headers: ['.h'], listed: [], listedHeaders: [] },
  {
    language: 'c++',
    compiled: ['.cpp'],
    headers: ['.hh'],
    listed: ['.cc', '.cxx', '.c++', '.cp'],
    listedHeaders: ['.hpp', '.hxx'],
  },
] as const;

const KINDS = new Map<string, SourceKind>(
  LANGUAGES.flatMap(({ language, compiled, headers, listed, listedHeaders }) => [
    ...kinds(compiled, { language, isHeader: false, isListed: false }),
    ...kinds(headers, { language, isHeader: true, isListed: false }),
    ...kinds(listed, { language, isHeader: false, isListed: true }),
    ...kinds(listedHeaders, { language, isHeader: true, isListed: true }),
  ]),
);

function kinds(endings: readonly string[], kind: SourceKind): [string, SourceKind][] {
  return endings.map((ending) => [ending, Object.freeze(kind)]);
}

/** Undefined for a file that the tools do not take for a source. */
export function kindOf(basename: string): SourceKind | undefined {
  const { stem, ending } = splitName(basename);
  return stem === '' ? undefined : KINDS.get(ending);
}

export const kindOfEnding = (ending: string): SourceKind | undefined => KINDS.get(ending);

/** Splits at the last dot. `ending` includes the dot; it is empty without one. */
export function splitName(basename: string): { stem: string; ending: string } {
  const dot = basename.lastIndexOf('.');
  return dot < 0 ? { stem: basename, ending: '' } : { stem: basename.slice(0, dot), ending: basename.slice(dot) };
}

export function languagesOf(files: readonly SourceFile[]): string[] {
  const found = new Set<string | undefined>(files.map(({ basename }) => kindOf(basename)?.language));
  return LANGUAGES.map(({ language }) => language).filter((language) => found.has(language));
}
