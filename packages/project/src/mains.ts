/** What a project is made of: its languages, and which file holds its main subprogram. */
import { ProjectError } from './project-error.js';
import type { SourceFile } from './source-file.js';

export interface Main {
  /** Base name of the file that holds the main subprogram. */
  readonly file: string;
  /** What the project file calls it and the build makes of it: the file's name up to its first dot. */
  readonly executable: string;
}

/** In the order, and with the names, in which the project file lists them. */
const LANGUAGES: readonly { readonly name: string; readonly extensions: readonly string[] }[] = [
  { name: 'Ada', extensions: ['.adb', '.ads'] },
  { name: 'c', extensions: ['.c', '.h'] },
  { name: 'c++', extensions: ['.cpp', '.hh'] },
];

/** The languages of `files`, each once. */
export function languagesOf(files: readonly SourceFile[]): string[] {
  const found = new Set(files.map(languageOf));
  return LANGUAGES.map(({ name }) => name).filter((name) => found.has(name));
}

/**
 * The main of a project, or undefined if it has none or several that nothing tells apart (such a
 * project builds; it cannot run). The rules are the contract's.
 *
 * @param asked file, unit or base name from the request; empty for none
 * @throws ProjectError if nothing of `files` is what `asked` names, or two of them claim to be main.adb
 */
export function findMain(files: readonly SourceFile[], asked = ''): Main | undefined {
  if (asked !== '') return namedMain(files, asked);
  const candidates = files.filter((file) => isCandidate(file, files)).map(({ basename }) => basename);
  if (candidates.length <= 1) return candidates[0] === undefined ? undefined : mainOf(candidates[0]);
  // As a part of the name, so that domain.adb counts: pages rely on it.
  const [first, second] = candidates.filter((name) => name.includes('main.adb'));
  if (second !== undefined) {
    throw new ProjectError(`"${first}" and "${second}" both look like the main program; name one in "main"`, 'main');
  }
  return first === undefined ? undefined : mainOf(first);
}

function namedMain(files: readonly SourceFile[], asked: string): Main {
  // GNAT's file names: unit Foo.Bar is in foo-bar.adb, or foo-bar.ads if it needs no body.
  const unit = asked.toLowerCase().replaceAll('.', '-');
  const file =
    files.find(({ basename }) => basename === asked) ??
    files.find(({ basename }) => basename === `${unit}.adb`) ??
    files.find(({ basename }) => basename === `${unit}.ads`) ??
    files.find((each) => languageOf(each) !== undefined && executableOf(each.basename) === asked);
  if (file === undefined) {
    throw new ProjectError('"main" names no file or unit of this project; name one that is sent', 'main');
  }
  const main = mainOf(file.basename);
  if (main.executable === '') {
    throw new ProjectError(`"${main.file}" has nothing before its first dot to call a program by; rename it`, 'main');
  }
  return main;
}

function isCandidate(file: SourceFile, files: readonly SourceFile[]): boolean {
  if (executableOf(file.basename) === '') return false;
  if (languageOf(file) !== 'Ada') return languageOf(file) !== undefined && definesMain(file.contents);
  if (!file.basename.endsWith('.adb')) return false;
  const spec = file.basename.replace(/\.adb$/, '.ads');
  return !files.some(({ basename }) => basename === spec);
}

/**
 * Whether a line of C or C++ starts with `int main(...)` or `void main(...)` and a brace follows.
 * Linear whatever the text: a match takes everything up to the next brace or semicolon and cannot
 * fail after its opening parenthesis, so no character is looked at for two of them.
 */
export function definesMain(text: string): boolean {
  const heads = text.matchAll(/^(?:void|int)[ \t]+main[ \t]*\(([^{};]*)([{};]?)/gm);
  for (const [, parameters = '', end] of heads) {
    if (end === '{' && parameters.trimEnd().endsWith(')')) return true;
  }
  return false;
}

function languageOf({ basename }: SourceFile): string | undefined {
  const extension = basename.slice(Math.max(0, basename.lastIndexOf('.')));
  return LANGUAGES.find(({ extensions }) => extensions.includes(extension))?.name;
}

const mainOf = (file: string): Main => Object.freeze({ file, executable: executableOf(file) });

function executableOf(basename: string): string {
  const dot = basename.indexOf('.');
  return dot < 0 ? basename : basename.slice(0, dot);
}
