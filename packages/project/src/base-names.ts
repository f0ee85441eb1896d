/** Checks file names of a request. */
import { kindOf } from './languages.js';
import { ProjectError } from './project-error.js';
import { hasControlCharacter, hasLoneSurrogate } from './text.js';

/** Names of files that the tools create and would read unchecked, such as an object. Case matters, as to the tools. */
const TOOLS_OWN: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/\.o$/, 'an object file'],
  [/\.a$/, 'a library'],
  [/\.so(\.\d+)*$/, 'a shared library'],
  [/\.ali$/, "the compiler's library information"],
  [/\.d$/, "the C compiler's list of dependencies"],
  [/\.gch$/, 'a precompiled header'],
  [/\.cgpr$/, "gprbuild's configuration"],
  [/\.bexch$/, "gprbuild's notes for its binder"],
  [/^b(__|~).*\.ad[bs]$/, "the binder's main program"],
  [/^gnatprove$/, "gnatprove's folder"],
];

/**
 * Refused for sources only: the linker gets a source's object under the source's name, and would read such a
 * name as a switch or as a list of switches.
 */
const SOURCES_OWN: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/^-/, 'a switch'],
  [/^@/, 'a file of switches'],
];

/** @throws ProjectError unless `name` is plain on each system that opens the zip, and not one of the tools' names */
export function checkBaseName(name: string, path: string, maxBytes: number): void {
  const fault = faultOf(name, maxBytes);
  if (fault !== undefined) throw new ProjectError(`${fault}; give the file another name`, path);
}

function faultOf(name: string, maxBytes: number): string | undefined {
  if (name === '') return 'A file has an empty name';
  const bytes = Buffer.byteLength(name);
  if (bytes > maxBytes) return `A file name has ${bytes} bytes, and at most ${maxBytes} are allowed`;
  if (hasControlCharacter(name)) return `The file name ${JSON.stringify(name)} has a control character`;
  if (hasLoneSurrogate(name)) return `The file name ${JSON.stringify(name)} is not valid Unicode`;
  if (name === '.' || name === '..') return `"${name}" is a folder, not a file`;
  const separator = /[/\\:]/.exec(name)?.[0];
  if (separator !== undefined) return `The file name "${name}" has a "${separator}", which separates folders or drives`;
  const patterns = kindOf(name) ? [...TOOLS_OWN, ...SOURCES_OWN] : TOOLS_OWN;
  const own = patterns.find(([pattern]) => pattern.test(name));
  return own && `The tools would take "${name}" for ${own[1]}`;
}
