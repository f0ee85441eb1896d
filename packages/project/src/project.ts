/** The package's entry. Turns a request into a checked project. */
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

/** Deeply frozen. */
export interface Project {
  /** Empty if the request has none. */
  readonly name: string;
  /** Missing for a download. */
  readonly mode?: Mode;
  /** A mistake that keeps the tools from taking the sources, in words for the user. */
  readonly mistake?: string;
  /** Missing if there is none, or if nothing tells several apart. */
  readonly main?: Main;
  /** In the order of the project file. */
  readonly languages: readonly string[];
  /** The sent files without the special and generated ones. For a run, Ada sources end with a line end. */
  readonly sources: readonly SourceFile[];
  /** The files of the working folder and the zip: sources, main.gpr and main.adc. */
  readonly files: readonly SourceFile[];
  readonly arguments: readonly string[];
  /** Missing without lab_io.txt; empty if it has no case. */
  readonly labCases?: readonly LabCase[];
  /** The first few switches that are not allowed. Untrusted text, for the log only. */
  readonly droppedSwitches: readonly string[];
}

/**
 * A request with `mode` is a run. For a download, pass only the members of its schema.
 * @throws ProjectError, and nothing else, for each mistake that the contract answers with 400
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
  // An empty project is left to gprbuild, because the contract fixes its message.
  const misnamed = files.length === 0 ? undefined : sourceMistake(sources);
  // A run with wrong file names looks for no main. A download still does.
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

/** Refuses a file that has the program's name: the linker would overwrite it, or the run would start it. */
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
 * Adds a missing final line end to an Ada source. GNAT marks the end of a source with SUB, and without the line end its
 * messages show that mark. After an open string GNAT would read on, and name files that nobody sent.
 */
function withLineEnd({ basename, contents }: SourceFile): SourceFile {
  const isOpen = kindOf(basename)?.language === 'Ada' && !/[\r\n]$/.test(contents);
  return file({ basename, contents: isOpen ? `${contents}\n` : contents });
}

const file = ({ basename, contents }: SourceFile): SourceFile => Object.freeze({ basename, contents });
