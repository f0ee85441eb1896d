import { Problem } from '../../scripts/lib/report.js';

/** Options of the test commands; all others are passed to jest. */
export interface TestOptions {
  /** The runtime of the sandboxes, by the engine's name for it; undefined for the engine's default. */
  readonly runtime: string | undefined;
  /** The number of fuzz inputs and their seed; undefined for a few inputs and a random seed. */
  readonly inputs: string | undefined;
  readonly seed: string | undefined;
  readonly jest: readonly string[];
  /** Whether the long parts run: gVisor, chaos, fuzz, compose, cluster. */
  readonly runsLongParts: boolean;
  /** Whether `jest` contains every test of `npm test`. */
  readonly runsAll: boolean;
}

/** The test engine's name for gVisor. */
export const GVISOR = 'runsc';
/** Under gVisor, more parallel programs leave no processor time for the broker on two cores. */
export const FEWER_AT_A_TIME = ['--maxConcurrency', '3'];

const PROJECTS = ['unit', 'integration', 'e2e', 'attacks'];
const LONG_PROJECTS = ['deployment', 'fuzz'];

/** @throws Problem for an option with a missing or invalid value */
export function readTestOptions(args: readonly string[]): TestOptions {
  const rest = [...args];
  const runtime = takeValue(rest, '--runtime', 'runsc');
  const [inputs, seed] = [takeNumber(rest, '--inputs', '100000'), takeNumber(rest, '--seed', '1')];
  const all = takeFlag(rest, '--all');
  const long = takeFlag(rest, '--long');
  const only = ['attacks', 'fuzz'].filter((project) => takeFlag(rest, `--${project}`));
  const runsAll = (args.length === 0 || all) && !long;
  // File names may also match long tests.
  const projects =
    only.length > 0 ? only : long ? LONG_PROJECTS : all || !runsAll ? [...PROJECTS, ...LONG_PROJECTS] : PROJECTS;
  // The file names come first, since arguments after --selectProjects count as projects.
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
