import { readFileSync } from 'node:fs';

import { seconds } from '../../../scripts/lib/report.js';

/** Inputs of one kind, counted by outcome, such as a status. */
export interface FuzzedRoute {
  readonly name: string;
  readonly outcomes: Readonly<Record<string, number>>;
}

/** Resources of a process after the warm-up and at the end. */
export interface FuzzedProcess {
  readonly name: string;
  readonly mebibytes: readonly [before: number, after: number, most: number];
  readonly files: readonly [before: number, after: number];
}

/** The results of test/fuzz, written to the file that FUZZ_FILE names. */
export interface FuzzResult {
  readonly ms: number;
  readonly routes: readonly FuzzedRoute[];
  readonly processes: readonly FuzzedProcess[];
}

/** A run's inputs and processes as a table; empty without a run. */
export function fuzzTable(path: string): string[] {
  const result = readResult(path);
  if (!result) return [];
  const sum = (outcomes: FuzzedRoute['outcomes']) => Object.values(outcomes).reduce((all, each) => all + each, 0);
  const inputs = result.routes.map(({ name, outcomes }) => {
    const each = Object.entries(outcomes).map(([outcome, count]) => `${outcome}: ${count}`);
    return `${name.padEnd(9)} ${String(sum(outcomes)).padStart(7)}  ${each.join(', ')}`;
  });
  const processes = result.processes.map(({ name, mebibytes: [before, after, most], files }) => {
    const memory = `${Math.round(before)} MiB after the warm-up, ${Math.round(after)} at the end, ${Math.round(most)} at most`;
    return `${name.padEnd(18)} ${memory}; ${files.join(' and ')} open files`;
  });
  const all = result.routes.reduce((total, { outcomes }) => total + sum(outcomes), 0);
  return [...inputs, ...processes, `${all} fuzzed inputs in ${seconds(result.ms)}`];
}

function readResult(path: string): FuzzResult | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as FuzzResult;
  } catch {
    return undefined; // Nothing was fuzzed, or the run failed early, which jest reports.
  }
}
