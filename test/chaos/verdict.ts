/** Judges each task by what its client has seen. */
import type { OutputItem } from '@code-widgets/protocol';

import type { Sighting } from './clients.js';
import { textOf } from './tasks.js';

const NOTICE = /started again/;

export interface Verdict {
  /** Each entry is a sentence with the task's number. */
  readonly lost: string[];
  readonly doubled: string[];
  readonly wrong: string[];
  /** Number of restarted tasks whose clients could notice. */
  readonly restarted: number;
}

export function judge(sightings: readonly Sighting[]): Verdict {
  const verdict = { lost: [] as string[], doubled: [] as string[], wrong: [] as string[], restarted: 0 };
  for (const seen of sightings) {
    const about = (what: string) =>
      `task ${seen.task.number} (${seen.task.kind}, ${seen.pollStyle}, ${seen.identifier}): ${what}`;
    if (seen.gaveUp !== undefined) verdict.lost.push(about(seen.gaveUp));
    verdict.doubled.push(...seen.offences.map(about));
    if (seen.completedAt === undefined) continue;

    const attempts = attemptsIn(seen.items);
    if (attempts.length > 1) verdict.restarted++;
    const { stdout } = seen.task;
    const strange = attempts.slice(0, -1).find((items) => stdout !== undefined && !isBeginning(items, stdout));
    if (strange) verdict.wrong.push(about(`a lost attempt had put out ${JSON.stringify(textOf(strange, 'stdout'))}`));
    const last = attempts.at(-1) ?? [];
    const difference = seen.task.check({ items: last, status: seen.status ?? -1, message: seen.message ?? '' });
    if (difference === undefined) continue;
    const commands = last
      .filter(({ msg, ref }) => msg.type === 'console' && ref === undefined)
      .map(({ msg }) => msg.data);
    // Each command of a task is announced once per attempt, so a repeated one means a second attempt.
    if (new Set(commands).size < commands.length) verdict.doubled.push(about(`two attempts as one: ${difference}`));
    else verdict.wrong.push(about(difference));
  }
  return verdict;
}

/** Splits items at the restart notices: one list per visible attempt. */
export function attemptsIn(items: readonly OutputItem[]): OutputItem[][] {
  const attempts: OutputItem[][] = [[]];
  for (const item of items) {
    if (item.msg.type === 'stderr' && NOTICE.test(item.msg.data)) attempts.push([]);
    else attempts.at(-1)?.push(item);
  }
  return attempts;
}

/** Whether the output of a lost attempt is a prefix of the task's expected output. */
export function isBeginning(items: readonly OutputItem[], stdout: string): boolean {
  return stdout.startsWith(textOf(items, 'stdout'));
}
