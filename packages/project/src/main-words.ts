/** Explains to the user why there is no main program. */
import { unitKeyword } from './ada-unit.js';
import { definesMain } from './c-main.js';
import { kindOf, languagesOf, splitName } from './languages.js';
import { mainCandidates } from './mains.js';
import type { SourceFile } from './source-file.js';
import { listed } from './text.js';

const NO_MAIN = 'There is no main program to run';

export function explainMissingMain(sources: readonly SourceFile[]): string {
  const candidates = mainCandidates(sources);
  return candidates.length > 1 ? chooseOne(candidates) : addOne(sources);
}

function chooseOne(candidates: readonly string[]): string {
  const adaFiles = candidates.filter((name) => kindOf(name)?.language === 'Ada').length;
  const each = adaFiles === 0 ? 'each define the function main' : 'can each be the main program';
  const all = `${NO_MAIN} yet, since only one can run: ${listed(candidates)} ${each}.`;
  if (adaFiles === candidates.length) return `${all} Rename that one to main.adb, or leave out the others.`;
  if (adaFiles === 0) return `${all} Keep main in one file.`;
  return `${all} Leave out the others.`;
}

function addOne(sources: readonly SourceFile[]): string {
  const languages = languagesOf(sources);
  const ending = languages.includes('c++') ? '.cpp' : '.c';
  const header = sources.find(({ basename, contents }) => kindOf(basename)?.isHeader && definesMain(contents));
  if (header) {
    const fault = `"${header.basename}" defines the function main, but nothing is compiled from a header`;
    return `${NO_MAIN}: ${fault}. Move main to a ${ending} file.`;
  }
  const specified = sources.find(
    ({ basename, contents }) => basename.endsWith('.adb') && unitKeyword(contents) === 'procedure',
  );
  if (specified) {
    const { stem } = splitName(specified.basename);
    const fault = `"${specified.basename}" is not taken for one, since there is a "${stem}.ads" as well`;
    return `${NO_MAIN}: ${fault}. Leave out "${stem}.ads", or rename the two to main.adb and main.ads.`;
  }
  const ada = 'a procedure that is not in a package, in an .adb file such as main.adb';
  const c = `a function main, such as int main(void) { ... }, in a ${ending} file`;
  const isAda = languages.includes('Ada');
  return `${NO_MAIN}. Add ${isAda && languages.length > 1 ? `${ada}, or ${c}` : isAda ? ada : c}.`;
}
