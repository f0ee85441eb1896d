import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { exitOf, type Instance } from '../../scripts/lib/instance.js';
import { checkout } from '../../scripts/lib/paths.js';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** The part of jest's JSON report with the numbers of tests. */
interface JestResults {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  /** Files that failed before their first test. */
  readonly numRuntimeErrorTestSuites: number;
}

/**
 * Runs jest with its usual output.
 *
 * @param resultsPath jest's report file
 * @param atATime number of parallel files
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
  // jest's default cache stays in the system's temporary folder forever.
  const standing = [...workers, '--cacheDirectory', 'node_modules/.cache/jest', '--json', '--outputFile', resultsPath];
  // jest needs this flag for ES modules, and Node warns about it.
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const endWithParent = ['--import', join(checkout, 'test', 'lib', 'end-with-parent.mjs')];
  const child = instance.start('tool', process.execPath, [...node, ...endWithParent, jest, ...args, ...standing], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const status = await exitOf(child);
  const counts = readCounts(resultsPath);
  // A jest that fails without a failed test (a crash, or no tests) counts as a failure.
  return status !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

export function add(one: Counts, other: Counts): Counts {
  return { passed: one.passed + other.passed, failed: one.failed + other.failed };
}

function readCounts(resultsPath: string): Counts {
  const results = readResults(resultsPath);
  // Without a report, jest has crashed, and its exit status counts.
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
