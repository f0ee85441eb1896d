/** The languages that a project can be written in, and what the ending of a file's name says about it. */
import type { SourceFile } from './source-file.js';

export interface SourceKind {
  /** As the project file names it. */
  readonly language: string;
  /** Nothing is compiled from a header. An Ada specification is compiled. */
  readonly isHeader: boolean;
  /** gprbuild does not know the ending: the project file has to list each such file by name. */
  readonly isListed: boolean;
}

/** In the order in which the project file lists the languages. */
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

/** What a file of this name is, or undefined for a name that the tools do not take for a source's. */
export function kindOf(basename: string): SourceKind | undefined {
  const { stem, ending } = splitName(basename);
  return stem === '' ? undefined : KINDS.get(ending);
}

/** The kind of files with this ending, which has its dot. */
export const kindOfEnding = (ending: string): SourceKind | undefined => KINDS.get(ending);

/** The name before its last dot, and the rest with the dot; no ending without a dot. */
export function splitName(basename: string): { stem: string; ending: string } {
  const dot = basename.lastIndexOf('.');
  return dot < 0 ? { stem: basename, ending: '' } : { stem: basename.slice(0, dot), ending: basename.slice(dot) };
}

/** The languages of `files`, each once. */
export function languagesOf(files: readonly SourceFile[]): string[] {
  const found = new Set<string | undefined>(files.map(({ basename }) => kindOf(basename)?.language));
  return LANGUAGES.map(({ language }) => language).filter((language) => found.has(language));
}
