/** Explains file names that the tools do not accept. */
import { adaNameFor, isAdaName, isLibraryName, reservedWordIn, unitOf } from './ada-names.js';
import { kindOf, kindOfEnding, splitName } from './languages.js';
import { isSubunit, type Main } from './mains.js';
import type { SourceFile } from './source-file.js';
import { listed } from './text.js';

/** One line for each wrong name. The tools' own messages would mention main.gpr, which the user did not send. */
export function sourceMistake(sources: readonly SourceFile[]): string | undefined {
  const names = new Set(sources.map(({ basename }) => basename));
  const misnamed = sources.flatMap(({ basename }) => misnaming(basename, names) ?? []);
  const mistakes = misnamed.length > 0 ? misnamed : clashes(sources, names);
  if (mistakes.length > 0) return mistakes.join('\n');
  return sources.some(({ basename }) => kindOf(basename)) ? undefined : noSource(sources);
}

/** gprbuild does not find a main program whose file name has more than one dot. */
export function mainMistake({ file }: Main, sources: readonly SourceFile[]): string | undefined {
  const { stem, ending } = splitName(file);
  if (!stem.includes('.')) return undefined;
  const names = new Set(sources.map(({ basename }) => basename));
  const fault = `The name of the main program's file may have one dot only: "${file}" has more.`;
  return `${fault} ${renaming('the file', stem.replaceAll('.', '_') + ending, names)}`;
}

function noSource(files: readonly SourceFile[]): string {
  const others = files.length === 0 ? '' : `: ${listed(files.map(({ basename }) => basename))} cannot be compiled`;
  return `There is no source file in this project${others}. An Ada file ends in .adb or .ads, a C file in .c, a C++ file in .cpp.`;
}

function misnaming(basename: string, names: ReadonlySet<string>): string | undefined {
  // The intended ending of "A.ADB " and "a.adb." is clear.
  const { stem, ending } = splitName(basename.replace(/[.\s]+$/, ''));
  const plain = ending.toLowerCase().replace(/\s/g, '');
  if (plain === '.ada') return ada(basename, stem, '.adb', names);
  const kind = kindOfEnding(plain);
  // Headers may have any name, since only #include opens them.
  if (kind === undefined || kind.isHeader) return undefined;
  return kind.language === 'Ada' ? ada(basename, stem, plain, names) : c(basename, stem, plain, names);
}

function ada(basename: string, stem: string, ending: string, names: ReadonlySet<string>): string | undefined {
  const lower = stem.toLowerCase();
  const word = reservedWordIn(lower);
  if (word !== undefined) {
    const fault = `"${word}" is a reserved word of Ada, so no unit can have this name, nor its file "${basename}".`;
    return `${fault} ${renaming('the unit in it, and the file', adaNameFor(stem) + ending, names)}`;
  }
  if (isLibraryName(lower, names.has(`${lower}.ads`))) {
    const fault = `"${basename}" has the name of a unit of Ada's own library.`;
    return `${fault} ${renaming('the unit in it, and the file', `my_${lower}${ending}`, names)}`;
  }
  if (basename === stem + ending && isAdaName(stem)) return undefined;
  const rule =
    'an Ada file is named after its unit, in the letters a to z, digits and "_", with "-" for each dot of the unit, and ends in .adb or .ads';
  const name = adaNameFor(stem);
  const what = name === lower.replaceAll('.', '-') ? 'the file' : 'the unit in it, and the file';
  return `The Ada tools do not take the file name "${basename}": ${rule}. ${renaming(what, name + ending, names)}`;
}

function c(basename: string, stem: string, ending: string, names: ReadonlySet<string>): string | undefined {
  const rest = stem.replace(/^\.+/, '') || 'program';
  if (rest !== stem) {
    return `The tools do not take the file name "${basename}": it starts with a dot. ${renaming('the file', rest + ending, names)}`;
  }
  if (basename === stem + ending) return undefined;
  const fault = `The tools do not take the file name "${basename}": its ending has to be in lower case.`;
  // Only the compiler takes .C for C++; gprbuild does not.
  if (/\.C\s*$/.test(basename))
    return `${fault} Rename the file to "${stem}.c" if it is C, or to "${stem}.cpp" if it is C++.`;
  return `${fault} ${renaming('the file', stem + ending, names)}`;
}

function renaming(what: string, to: string, names: ReadonlySet<string>): string {
  return names.has(to) ? `Leave it out or rename it: there is a "${to}" already.` : `Rename ${what} to "${to}".`;
}

/** Files whose objects or Ada units have equal names. */
function clashes(sources: readonly SourceFile[], names: ReadonlySet<string>): string[] {
  const objects = new Map<string, string[]>();
  const units = new Map<string, string[]>();
  for (const source of sources) {
    const { basename } = source;
    const kind = kindOf(basename);
    if (!kind || kind.isHeader) continue;
    const { stem, ending } = splitName(basename);
    if (kind.language === 'Ada') append(units, unitOf(stem) + ending, basename);
    const isPartOfBody = ending === '.ads' && names.has(`${stem}.adb`);
    // A subunit is compiled with its parent.
    if (!isPartOfBody && !isSubunit(source)) append(objects, stem, basename);
  }
  const several = (groups: ReadonlyMap<string, string[]>) => [...groups.values()].filter(({ length }) => length > 1);
  return [
    ...several(objects).map(
      (each) => `${listed(each)} would be compiled into the same file. Give each another name before its ending.`,
    ),
    ...several(units).map((each) => `${listed(each)} are named after the same Ada unit. Keep one of them.`),
  ];
}

function append(groups: Map<string, string[]>, key: string, name: string): void {
  const group = groups.get(key);
  if (group) group.push(name);
  else groups.set(key, [name]);
}
