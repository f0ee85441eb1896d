import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { exitOf, type Instance } from '../../scripts/lib/instance.js';
import { checkout } from '../../scripts/lib/paths.js';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** The part of jest's JSON that says how many tests there were. */
interface JestResults {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  /** Files that failed before they had a test. */
  readonly numRuntimeErrorTestSuites: number;
}

/**
 * Runs jest, which prints as ever.
 *
 * @param resultsPath where jest leaves its results for counting
 * @param atATime files side by side
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
  // Without a cache folder of ours, jest's would stay in the system's temporary folder for ever.
  const standing = [...workers, '--cacheDirectory', 'node_modules/.cache/jest', '--json', '--outputFile', resultsPath];
  // jest takes ES modules with this flag only, and Node warns of the flag.
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const endWithParent = ['--import', join(checkout, 'test', 'lib', 'end-with-parent.mjs')];
  const child = instance.start('tool', process.execPath, [...node, ...endWithParent, jest, ...args, ...standing], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const status = await exitOf(child);
  const counts = readCounts(resultsPath);
  // A jest that fails without a failed test (it crashed, or found none) is a failure all the same.
  return status !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

export function add(one: Counts, other: Counts): Counts {
  return { passed: one.passed + other.passed, failed: one.failed + other.failed };
}

function readCounts(resultsPath: string): Counts {
  const results = readResults(resultsPath);
  // Without any, jest has crashed; its exit status tells.
  return {
    passed: results?.numPassedTests ?? 0,
    failed: (results?.numFailedTests ?? 0) + (results?.numRuntimeErrorTestSuites ?? 0),
  };
}

function readResults(path: string): JestResults | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as JestResults;
  } catch {
    return undefined;
  }
}
