import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { exitOf, type Instance } from './instance.js';
import { checkout } from './paths.js';

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
 */
export async function runJest(
  instance: Instance,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  resultsPath: string,
): Promise<Counts> {
  const jest = join(checkout, 'node_modules', 'jest', 'bin', 'jest.js');
  // One file at a time: the tests share two cores, a broker and an engine. The cache would lie in
  // the system's temporary folder for ever.
  const standing = ['--runInBand', '--cacheDirectory', 'node_modules/.cache/jest', '--json', '--outputFile', resultsPath];
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
  return { passed: one.passed + other.passed, failed: one.failed + other.failed };
}

function readCounts(resultsPath: string): Counts {
  try {
    const results = JSON.parse(readFileSync(resultsPath, 'utf8')) as JestResults;
    return { passed: results.numPassedTests, failed: results.numFailedTests + results.numRuntimeErrorTestSuites };
  } catch {
    return { passed: 0, failed: 0 }; // It has crashed; its exit status tells.
  }
}
