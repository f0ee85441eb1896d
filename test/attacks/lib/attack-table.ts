import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { seconds } from '../../../scripts/lib/report.js';

/** The result of an attack, written by each test file to the folder that ATTACKS_FOLDER names. */
export interface AttackResult {
  readonly class: string;
  readonly name: string;
  readonly ms: number;
  /** An attack that was not made proves nothing. */
  readonly outcome: 'held' | 'through' | 'not made';
}

/**
 * The attacks under a runtime as a table: the first line names the runtime, the last one has the totals. Empty
 * without attacks.
 */
export function attackTable(runtime: string, folder: string): string[] {
  const results = readResults(folder);
  if (results.length === 0) return [];
  const width = Math.max(...results.map(({ name }) => name.length));
  const classWidth = Math.max(...results.map((result) => result.class.length));
  const rows = results.map(
    ({ class: kind, name, ms, outcome }) =>
      `${kind.padEnd(classWidth)}  ${name.padEnd(width)}  ${seconds(ms).padStart(6)}  ${outcome === 'held' ? outcome : outcome.toUpperCase()}`,
  );
  const count = (wanted: AttackResult['outcome']) => results.filter(({ outcome }) => outcome === wanted).length;
  const notMade = count('not made') > 0 ? `, ${count('not made')} not made` : '';
  return [`attacks under ${runtime}`, ...rows, `${results.length} attacks, ${count('through')} through${notMade}`];
}

function readResults(folder: string): AttackResult[] {
  try {
    return readdirSync(folder)
      .sort()
      .flatMap((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as AttackResult[]);
  } catch {
    return []; // No attack was run, or the test file failed, which jest reports.
  }
}
