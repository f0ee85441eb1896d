/** The effect of the faults as a table with a line for each class. */
import type { Sighting } from './clients.js';
import type { Strike } from './run.js';
import { FAULTS } from './schedule.js';

const HEAD = ['fault', 'times', 'tasks hit', 'slowest recovery'];

/**
 * A fault hits a task whose client has already received something. The task has recovered when its client
 * receives more. Recovery time starts when the cause of the fault is removed.
 */
export function faultTable(strikes: readonly Strike[], sightings: readonly Sighting[]): string[] {
  const rows = FAULTS.map((name) => {
    const mine = strikes.filter((strike) => strike.name === name);
    const hits = mine.flatMap((strike) =>
      sightings.filter((seen) => isUnderWay(seen, strike.begin)).map((seen) => recoveryMs(seen, strike)),
    );
    const slowest = Math.max(...hits);
    const recovery = slowest === Infinity ? 'never' : `${(slowest / 1000).toFixed(1)} s`;
    return [name, String(mine.length), String(hits.length), hits.length === 0 ? '-' : recovery];
  });
  const widths = HEAD.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)));
  return [HEAD, ...rows].map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  '),
  );
}

function isUnderWay({ progressAt, completedAt }: Sighting, at: number): boolean {
  const first = progressAt[0];
  return first !== undefined && first < at && (completedAt === undefined || completedAt > at);
}

function recoveryMs({ progressAt }: Sighting, { begin, end }: Strike): number {
  const next = progressAt.find((at) => at > begin);
  return Math.max(0, (next ?? Infinity) - end);
}
