import { Problem } from '../../scripts/lib/report.js';

/** What the test commands themselves take from their command line; the rest is jest's. */
export interface TestOptions {
  /** The runtime that sandboxes run under, by the engine's name for it; undefined: the engine's default. */
  readonly runtime: string | undefined;
  /** How many inputs are fuzzed, and from which seed; undefined: a few, and any seed. */
  readonly inputs: string | undefined;
  readonly seed: string | undefined;
  readonly jest: readonly string[];
  /** Whether the long parts run: gVisor, chaos, fuzz, compose, cluster. */
  readonly runsLongParts: boolean;
  /** Whether `jest` is every test of `npm test`. */
  readonly runsAll: boolean;
}

/** gVisor, by the name under which the engine of the tests knows it. */
export const GVISOR = 'runsc';
/** Under gVisor, more parallel programs leave no processor for the broker on two cores. */
export const FEWER_AT_A_TIME = ['--maxConcurrency', '3'];

const PROJECTS = ['unit', 'integration', 'e2e', 'attacks'];
const LONG_PROJECTS = ['deployment', 'fuzz'];

/** @throws Problem for an option that lacks its value, or has one that it cannot have */
export function readTestOptions(args: readonly string[]): TestOptions {
  const rest = [...args];
  const runtime = takeValue(rest, '--runtime', 'runsc');
  const [inputs, seed] = [takeNumber(rest, '--inputs', '100000'), takeNumber(rest, '--seed', '1')];
  const all = takeFlag(rest, '--all');
  const long = takeFlag(rest, '--long');
  const only = ['attacks', 'fuzz'].filter((project) => takeFlag(rest, `--${project}`));
  const runsAll = (args.length === 0 || all) && !long;
  // With names of files, the long tests are looked through as well.
  const projects =
    only.length > 0 ? only : long ? LONG_PROJECTS : all || !runsAll ? [...PROJECTS, ...LONG_PROJECTS] : PROJECTS;
  // The file names first: what follows --selectProjects counts as a project.
  const selected = rest.includes('--selectProjects') ? [] : ['--selectProjects', ...projects];
  const fewer = runtime === GVISOR ? FEWER_AT_A_TIME : [];
  return { runtime, inputs, seed, jest: [...rest, ...fewer, ...selected], runsLongParts: all || long, runsAll };
}

function takeFlag(args: string[], name: string): boolean {
  const at = args.indexOf(name);
  if (at >= 0) args.splice(at, 1);
  return at >= 0;
}

function takeValue(args: string[], name: string, example: string): string | undefined {
  const at = args.indexOf(name);
  if (at < 0) return undefined;
  const [, value] = args.splice(at, 2);
  if (value === undefined || value.startsWith('-'))
    throw new Problem(`${name} needs a value: ${name} ${example}, say.`);
  return value;
}

function takeNumber(args: string[], name: string, example: string): string | undefined {
  const value = takeValue(args, name, example);
  if (value !== undefined && !/^\d{1,9}$/.test(value))
    throw new Problem(`${name} takes a whole number: ${name} ${example}, say.`);
  return value;
}
