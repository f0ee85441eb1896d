/** Finds the main program of a project. */
import { unitKeyword } from './ada-unit.js';
import { definesMain } from './c-main.js';
import { kindOf, splitName } from './languages.js';
import { ProjectError } from './project-error.js';
import type { SourceFile } from './source-file.js';

export interface Main {
  readonly file: string;
  /** File name of the program: the source's name up to its first dot. */
  readonly executable: string;
}

/** Maximum length of a client's text in an error message, in UTF-16 units. */
const MAX_QUOTED = 100;

/**
 * The contract's rules. Undefined if there is no main, or nothing tells several apart; such a project only builds.
 * @param asked file, unit or base name from the request; empty for none
 * @throws ProjectError if `asked` names no possible main, or two files have main.adb in their names
 */
export function findMain(files: readonly SourceFile[], asked = ''): Main | undefined {
  if (asked !== '') return namedMain(files, asked);
  const candidates = mainCandidates(files);
  if (candidates.length <= 1) return candidates[0] === undefined ? undefined : mainOf(candidates[0]);
  // A part of the name is enough, for example domain.adb: existing pages rely on it.
  const [first, second] = candidates.filter((name) => name.includes('main.adb'));
  if (second !== undefined) {
    const both = `"${first}" and "${second}" both have main.adb in their names, so each can be the main program`;
    throw new ProjectError(`${both}; name one in "main", or rename one`, 'main');
  }
  return first === undefined ? undefined : mainOf(first);
}

export function mainCandidates(files: readonly SourceFile[]): string[] {
  const names = new Set(files.map(({ basename }) => basename));
  return files.filter((file) => isCandidate(file, names)).map(({ basename }) => basename);
}

function namedMain(files: readonly SourceFile[], asked: string): Main {
  // GNAT's file names: unit Foo.Bar is in foo-bar.adb, or in foo-bar.ads if it needs no body.
  const unit = asked.toLowerCase().replaceAll('.', '-');
  const file =
    files.find(({ basename }) => basename === asked) ??
    files.find(({ basename }) => basename === `${unit}.adb`) ??
    files.find(({ basename }) => basename === `${unit}.ads`) ??
    // Ada ignores case.
    files.find(({ basename }) => basename === asked.toLowerCase() && kindOf(basename)?.language === 'Ada') ??
    files.find(({ basename }) => isCompiled(basename) && executableOf(basename) === asked);
  if (file === undefined) {
    const name = JSON.stringify(asked.slice(0, MAX_QUOTED));
    throw new ProjectError(
      `"main" is ${name}, which names no file or unit of this project; name one that is sent`,
      'main',
    );
  }
  const main = mainOf(file.basename);
  if (main.executable === '') {
    throw new ProjectError(`"${main.file}" has nothing before its first dot to call a program by; rename it`, 'main');
  }
  const fault = faultOf(file);
  if (fault !== undefined) {
    throw new ProjectError(`"${main.file}" cannot be the main program: ${fault}; name another file`, 'main');
  }
  return main;
}

function faultOf(file: SourceFile): string | undefined {
  const kind = kindOf(file.basename);
  if (kind === undefined) return 'it is not a source file';
  if (kind.isHeader) return 'it is a header, from which nothing is compiled';
  if (splitName(file.basename).ending === '.ads' && unitKeyword(file.contents) === 'package')
    return 'it is the specification of a package';
  if (isSubunit(file)) return 'it is a part of another unit ("separate")';
  return undefined;
}

function isCandidate(file: SourceFile, names: ReadonlySet<string>): boolean {
  const { basename, contents } = file;
  if (executableOf(basename) === '' || !isCompiled(basename)) return false;
  if (kindOf(basename)?.language !== 'Ada') return definesMain(contents);
  const { stem, ending } = splitName(basename);
  if (ending !== '.adb' || isSubunit(file)) return false;
  if (!names.has(`${stem}.ads`)) return true;
  // Any other body with a specification may be a package. Only main.adb may be a procedure with a specification.
  return basename === 'main.adb' && unitKeyword(contents) !== 'package';
}

const isCompiled = (basename: string): boolean => kindOf(basename)?.isHeader === false;

/** Whether the file is compiled as a part of another unit. */
export function isSubunit({ basename, contents }: SourceFile): boolean {
  return splitName(basename).ending === '.adb' && unitKeyword(contents) === 'separate';
}

const mainOf = (file: string): Main => Object.freeze({ file, executable: executableOf(file) });

function executableOf(basename: string): string {
  const dot = basename.indexOf('.');
  return dot < 0 ? basename : basename.slice(0, dot);
}
