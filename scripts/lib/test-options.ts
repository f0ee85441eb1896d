import { Problem } from './report.js';

/** What `npm test` itself takes from its command line; the rest is jest's. */
export interface TestOptions {
  /** The runtime that sandboxes run under, by the engine's name for it; undefined: the engine's own choice. */
  readonly runtime: string | undefined;
  readonly jest: readonly string[];
  /** Whether everything is asked for. */
  readonly isWhole: boolean;
}

const PROJECTS = ['unit', 'integration', 'e2e', 'attacks'];

/** @throws Problem for an option that lacks its value */
export function readTestOptions(args: readonly string[]): TestOptions {
  const rest = [...args];
  const runtime = takeValue(rest, '--runtime');
  const projects = takeFlag(rest, '--attacks') ? ['attacks'] : PROJECTS;
  // The file names first: what follows --selectProjects counts as a project.
  const selected = rest.includes('--selectProjects') ? [] : ['--selectProjects', ...projects];
  return { runtime, jest: [...rest, ...selected], isWhole: args.length === 0 };
}

function takeFlag(args: string[], name: string): boolean {
  const at = args.indexOf(name);
  if (at >= 0) args.splice(at, 1);
  return at >= 0;
}

function takeValue(args: string[], name: string): string | undefined {
  const at = args.indexOf(name);
  if (at < 0) return undefined;
  const [, value] = args.splice(at, 2);
  if (value === undefined || value.startsWith('-')) throw new Problem(`${name} needs a value: ${name} runsc, say.`);
  return value;
}
