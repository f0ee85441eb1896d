/** What the clients have seen, judged task by task. */
import type { OutputItem } from '@code-widgets/protocol';

import type { Sighting } from './clients.js';
import { textOf } from './tasks.js';

const NOTICE = /started again/;

export interface Verdict {
  /** Each with the task's number, in words. */
  readonly lost: string[];
  readonly doubled: string[];
  readonly wrong: string[];
  /** Tasks that were begun more than once, for clients who could see it. */
  readonly restarted: number;
}

export function judge(sightings: readonly Sighting[]): Verdict {
  const verdict = { lost: [] as string[], doubled: [] as string[], wrong: [] as string[], restarted: 0 };
  for (const seen of sightings) {
    const about = (what: string) =>
      `task ${seen.task.number} (${seen.task.kind}, ${seen.temper}, ${seen.identifier}): ${what}`;
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
    // Each command of a task is announced once: an attempt that announces one twice is two.
    if (new Set(commands).size < commands.length) verdict.doubled.push(about(`two attempts as one: ${difference}`));
    else verdict.wrong.push(about(difference));
  }
  return verdict;
}

/** The items between the notices: of the attempts that the client has seen something of. */
export function attemptsIn(items: readonly OutputItem[]): OutputItem[][] {
  const attempts: OutputItem[][] = [[]];
  for (const item of items) {
    if (item.msg.type === 'stderr' && NOTICE.test(item.msg.data)) attempts.push([]);
    else attempts.at(-1)?.push(item);
  }
  return attempts;
}

/** Whether what a client had of a lost attempt is a beginning of what the task puts out. */
export function isBeginning(items: readonly OutputItem[], stdout: string): boolean {
  return stdout.startsWith(textOf(items, 'stdout'));
}
