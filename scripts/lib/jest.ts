import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

import { exitOf, type Instance } from './instance.js';
import { checkout } from './paths.js';
import { say } from './report.js';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** Files with tests that failed at first, and not when they were run once more. */
  readonly atSecondTry?: readonly string[];
}

/** The part of jest's JSON that says how many tests there were. */
interface JestResults {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  /** Files that failed before they had a test. */
  readonly numRuntimeErrorTestSuites: number;
  readonly testResults: readonly {
    /** The path of the file. */
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

/** Real processes on a busy machine: what is in there can be late for once. Pure logic cannot, and what is random shall not be let off. */
const TRIED_AGAIN = /\/test\/(e2e|integration|attacks)\/(?!.*model)/;
/** More have not failed by chance. */
const TRIED_AGAIN_AT_MOST = 2;

/**
 * Runs jest, and once more, alone, each file that failed, if it is of those that fail by chance: a run
 * takes half an hour, in which a process of hundreds can be late. `Counts` says so of each.
 *
 * @param args for jest, the names of files before all options
 * @param resultsPath where jest leaves its results for counting
 * @param atATime files side by side
 */
export async function runJestTwice(
  instance: Instance,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  resultsPath: string,
  atATime = 1,
): Promise<Counts> {
  const first = await runJest(instance, args, env, resultsPath, atATime);
  const results = first.failed > 0 ? readResults(resultsPath)?.testResults : undefined;
  const again = (results ?? []).filter(({ status }) => status === 'failed');
  if (again.length === 0 || again.length > TRIED_AGAIN_AT_MOST || !again.every(({ name }) => TRIED_AGAIN.test(name))) return first;
  const names = again.map(({ name }) => relative(checkout, name));
  say('tests', `${names.join(' and ')} failed and will be run once more`);
  const options = args.slice(args.findIndex((word) => word.startsWith('-')));
  const second = await runJest(instance, ['--runTestsByPath', ...again.map(({ name }) => name), ...options], env, `${resultsPath}.again`);
  if (second.failed > 0) return first;
  const others = results?.filter(({ status }) => status !== 'failed').flatMap(({ assertionResults }) => assertionResults) ?? [];
  return { passed: others.filter(({ status }) => status === 'passed').length + second.passed, failed: 0, atSecondTry: names };
}

/**
 * Runs jest, which prints as ever.
 *
 * @param resultsPath where jest leaves its results for counting
 * @param atATime files side by side; more than one has company that it cannot choose
 */
export async function runJest(
  instance: Instance,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  resultsPath: string,
  atATime = 1,
): Promise<Counts> {
  const jest = join(checkout, 'node_modules', 'jest', 'bin', 'jest.js');
  const workers = atATime === 1 ? ['--runInBand'] : ['--maxWorkers', String(atATime)];
  // The cache would lie in the system's temporary folder for ever.
  const standing = [...workers, '--cacheDirectory', 'node_modules/.cache/jest', '--json', '--outputFile', resultsPath];
  // jest takes ES modules with this flag only, and Node warns of the flag.
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const child = instance.start('tool', process.execPath, [...node, jest, ...args, ...standing], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const status = await exitOf(child);
  const counts = readCounts(resultsPath);
  // A jest that fails without a failed test (it crashed, or found none) is a failure all the same.
  return status !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

export function add(one: Counts, other: Counts): Counts {
  const atSecondTry = [...(one.atSecondTry ?? []), ...(other.atSecondTry ?? [])];
  return { passed: one.passed + other.passed, failed: one.failed + other.failed, atSecondTry };
}

function readCounts(resultsPath: string): Counts {
  const results = readResults(resultsPath);
  // It has crashed; its exit status tells.
  if (results === undefined) return { passed: 0, failed: 0 };
  return { passed: results.numPassedTests, failed: results.numFailedTests + results.numRuntimeErrorTestSuites };
}

function readResults(path: string): JestResults | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as JestResults;
  } catch {
    return undefined;
  }
}
