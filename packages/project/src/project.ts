/** From a request to a project that is fit to be built, run, proved or downloaded; the package's entry. */
import type { DownloadRequest, Mode, RunProgramRequest } from '@code-widgets/protocol';

import { checkArguments, splitArguments } from './arguments.js';
import { checkBaseName } from './base-names.js';
import { LAB_FILE, parseLab, type LabCase } from './labs.js';
import { kindOf, languagesOf } from './languages.js';
import { REQUEST_LIMITS, type ProjectOptions, type RequestLimits } from './limits.js';
import { findMain, type Main } from './mains.js';
import { ProjectError } from './project-error.js';
import { CONFIGURATION_PRAGMAS, configurationPragmas, PROJECT_FILE, projectFile } from './project-file.js';
import type { SourceFile } from './source-file.js';
import { mainMistake, sourceMistake } from './source-mistakes.js';
import { isProveMode } from './steps.js';
import { sortSwitches } from './switches.js';
import { hasControlCharacter, hasLoneSurrogate, isLongerThan } from './text.js';

export type { Mode };
export { archiveProject, contentDisposition } from './archive.js';
export { explainMissingCases, judge, type LabCase } from './labs.js';
export { REQUEST_SETTINGS, projectOptions, type ProjectOptions } from './limits.js';
export { explainMissingMain } from './main-words.js';
export type { Main } from './mains.js';
export { ProjectError } from './project-error.js';
export type { SourceFile } from './source-file.js';
export {
  BUILD_COMMAND,
  gnatproveGeneration,
  proveCommand,
  runCommand,
  stepsOf,
  type Command,
  type GnatproveGeneration,
  type Step,
} from './steps.js';

const ARGUMENTS_FILE = 'cli.txt';

/** Frozen throughout. */
export interface Project {
  /** Empty if the request gave none. */
  readonly name: string;
  /** Only of a project that is to be run. */
  readonly mode?: Mode;
  /** What the reader has to mend before a tool can take the sources, in words. */
  readonly mistake?: string;
  /** Missing where there is none, or several that nothing tells apart. */
  readonly main?: Main;
  /** As the project file lists them; none if no file is a source. */
  readonly languages: readonly string[];
  /**
   * The files as they were sent, in their order, without the special and the generated ones. In a run, Ada
   * sources end in a line end.
   */
  readonly sources: readonly SourceFile[];
  /** What lies in the folder when a tool starts, and in the zip: the sources, main.gpr and main.adc. */
  readonly files: readonly SourceFile[];
  /** The words of cli.txt. */
  readonly arguments: readonly string[];
  /** Missing without lab_io.txt; empty if that has no case. */
  readonly labCases?: readonly LabCase[];
  /** The first few switches that were asked for and are not allowed: text of the client's, for the log alone. */
  readonly droppedSwitches: readonly string[];
}

/**
 * The project in a request that has passed its schema. Of a download, hand over only the members
 * that its schema names: a `mode` makes it a request to run.
 *
 * @throws ProjectError, and nothing else, for everything that the contract answers with 400
 */
export function createProject(
  request: RunProgramRequest | DownloadRequest,
  { limits = REQUEST_LIMITS, restricted = true }: ProjectOptions = {},
): Project {
  const { name = '', files } = request;
  checkProjectName(name, limits);
  checkFiles(files, limits);

  const run = 'mode' in request ? request : undefined;
  const special = new Set([ARGUMENTS_FILE, LAB_FILE, PROJECT_FILE, CONFIGURATION_PRAGMAS]);
  const sources = files.filter(({ basename }) => !special.has(basename)).map(run ? withLineEnd : file);
  // No file at all is left to gprbuild, whose words for it are the contract's.
  const misnamed = files.length === 0 ? undefined : sourceMistake(sources);
  // Among names that are wrong no main is looked for; a download has to have what can be had.
  const main = run && misnamed !== undefined ? undefined : findMain(sources, run?.main);
  const mistake = misnamed ?? (main && mainMistake(main, sources));
  checkExecutable(main, files);

  const words = readArguments(files, limits);
  const labCases = readLab(files, words, limits);
  const switches = sortSwitches(request.switches);
  const languages = languagesOf(sources);
  const gpr = projectFile({ main, languages, sources, switches: switches.allowed });
  const adc = configurationPragmas({ proving: run !== undefined && isProveMode(run.mode), restricted });
  const generated = [
    file({ basename: PROJECT_FILE, contents: gpr }),
    file({ basename: CONFIGURATION_PRAGMAS, contents: adc }),
  ];

  return Object.freeze({
    name,
    ...(run && { mode: run.mode }),
    ...(mistake !== undefined && { mistake }),
    ...(main && { main }),
    languages: Object.freeze(languages),
    sources: Object.freeze(sources),
    files: Object.freeze([...sources, ...generated]),
    arguments: words,
    ...(labCases && { labCases }),
    droppedSwitches: Object.freeze(switches.dropped),
  });
}

function checkProjectName(name: string, limits: RequestLimits): void {
  const max = limits.projectNameCodePoints;
  if (isLongerThan(name, max)) {
    throw new ProjectError(`The project's name has more than ${max} characters; make it shorter`, 'name');
  }
  if (hasControlCharacter(name) || hasLoneSurrogate(name)) {
    throw new ProjectError("The project's name has a character that is not printable; leave it out", 'name');
  }
}

function checkFiles(files: readonly SourceFile[], limits: RequestLimits): void {
  if (files.length > limits.files) {
    throw new ProjectError(`${files.length} files are more than the ${limits.files} allowed; send fewer`, 'files');
  }
  const seen = new Set<string>();
  for (const [index, { basename, contents }] of files.entries()) {
    const path = `files[${index}]`;
    checkBaseName(basename, `${path}.basename`, limits.fileNameBytes);
    if (seen.has(basename)) {
      throw new ProjectError(`Two files are called "${basename}"; give one of them another name`, `${path}.basename`);
    }
    seen.add(basename);
    if (isLongerThan(contents, limits.fileCodePoints)) {
      throw new ProjectError(
        `"${basename}" has more than ${limits.fileCodePoints} characters; shorten it or split it`,
        `${path}.contents`,
      );
    }
  }
}

/** The linker would write over such a file, or the run start it. */
function checkExecutable(main: Main | undefined, files: readonly SourceFile[]): void {
  const index = files.findIndex(({ basename }) => basename === main?.executable);
  if (index < 0) return;
  throw new ProjectError(
    `"${main?.executable}" is what the program of "${main?.file}" will be called; give this file another name`,
    `files[${index}].basename`,
  );
}

function readArguments(files: readonly SourceFile[], limits: RequestLimits): readonly string[] {
  const index = files.findIndex(({ basename }) => basename === ARGUMENTS_FILE);
  const words = splitArguments(files[index]?.contents ?? '');
  checkArguments(words, `files[${index}].contents`, limits.argumentBytes);
  return Object.freeze(words);
}

function readLab(
  files: readonly SourceFile[],
  words: readonly string[],
  limits: RequestLimits,
): readonly LabCase[] | undefined {
  const index = files.findIndex(({ basename }) => basename === LAB_FILE);
  const text = files[index]?.contents;
  if (text === undefined) return undefined;
  const path = `files[${index}].contents`;
  const cases = parseLab(text, words);
  if (cases.length > limits.labCases) {
    const excess = `${LAB_FILE} has ${cases.length} cases, and at most ${limits.labCases} are allowed`;
    throw new ProjectError(`${excess}; split the lab`, path);
  }
  const long = cases.find(({ key }) => key.length > limits.labKeyDigits);
  if (long) {
    const start = long.key.slice(0, limits.labKeyDigits);
    throw new ProjectError(
      `The key ${start}... of ${LAB_FILE} has more than ${limits.labKeyDigits} digits; shorten it`,
      path,
    );
  }
  for (const each of cases) checkArguments(each.in ?? [], path, limits.argumentBytes);
  return Object.freeze(cases);
}

/**
 * GNAT marks the end of a source with SUB. Where the last line has no line end, its messages show that
 * mark, and behind an open string it reads on and tells about files that nobody sent.
 */
function withLineEnd({ basename, contents }: SourceFile): SourceFile {
  const isOpen = kindOf(basename)?.language === 'Ada' && !/[\r\n]$/.test(contents);
  return file({ basename, contents: isOpen ? `${contents}\n` : contents });
}

const file = ({ basename, contents }: SourceFile): SourceFile => Object.freeze({ basename, contents });
