/** What the client of a task may see, by the contract alone: points 3, 4 and 11 of it. */
import type { FinalMessage, OutputItem, ReplyMessage } from '@code-widgets/protocol';
import { expect } from '@jest/globals';

/** A task as one who sees everything knows it. */
export interface Task {
  /** The one that works on it now. */
  readonly attempt: number;
  /** The items of each attempt that has said anything, oldest attempt first. */
  readonly sent: ReadonlyMap<number, readonly string[]>;
  /** The first end is the end. */
  readonly end?: FinalMessage;
  /** Whether the present attempt has said its last. */
  readonly hasEnded: boolean;
  /** Whether the queue has expired. */
  readonly isGone: boolean;
  /** What polls have made of the queue, whether their answers came or not. */
  readonly polled: { readonly attempt: number; readonly confirmed: number };
  readonly client: Client;
}

export interface Client {
  readonly sendsRead: boolean;
  /** Whose items the last ones are that it has, and how many of them. */
  readonly attempt: number;
  readonly items: number;
  /** All that it has. */
  readonly received: number;
}

/** What a poll shows: its items by their texts, the notice of a restart as `restart`. */
export interface Shown {
  readonly output: readonly string[];
  readonly completed: boolean;
  readonly status: number;
}

/** Of a poll that shows nothing, the status. */
export type Answer = Shown | number;

export const textOf = ({ msg }: OutputItem): string => (msg.type === 'lab' ? 'verdict' : msg.data);

/** The task is in the hands of the next worker. */
export const begin = (task: Task): Task => ({ ...task, attempt: task.attempt + 1, hasEnded: false });

/** After a worker's message. */
export function said(task: Task, message: ReplyMessage): Task {
  const own = task.sent.get(message.attempt) ?? [];
  const more = message.kind === 'output' ? message.items.map(textOf) : [];
  const sent = new Map(task.sent).set(message.attempt, [...own, ...more]);
  if (message.kind !== 'final') return { ...task, sent };
  return { ...task, sent, hasEnded: true, end: task.end ?? message };
}

/** The attempt that is shown: the one that ended the task, or the last that was heard of. */
const shownAttempt = ({ sent, end }: Task) => end?.attempt ?? Math.max(1, ...sent.keys());

/** After a poll of the client's, whatever becomes of its answer: it has confirmed what the client had. */
export function polled(task: Task): Task {
  const attempt = shownAttempt(task);
  const confirmed = task.client.attempt === attempt ? task.client.items : 0;
  return { ...task, polled: { attempt, confirmed } };
}

/** A `read` of one more than all items that the task has produced, and the notices between its attempts. */
export const impossibleRead = ({ attempt, sent }: Task): number => [...sent.values()].flat().length + attempt;

/**
 * Whether the queue can tell that a `read` is impossible, or need not. It cannot where a new attempt
 * has begun and nothing is left of the one that was shown last: then any `read` may be right.
 */
export const canJudge = (task: Task): boolean =>
  task.polled.attempt === shownAttempt(task) ||
  task.polled.confirmed < (task.sent.get(task.polled.attempt)?.length ?? 0);

/**
 * Fails unless a poll with an impossible `read` shows all items but some that were confirmed, and perhaps the
 * notice before them.
 */
export function checkImpossible(task: Task, answer: Answer): void {
  if (task.isGone || task.end?.state === 'FAILURE') return expect(possibleAnswers(task)).toContainEqual(answer);
  const attempt = shownAttempt(task);
  const items = task.sent.get(attempt) ?? [];
  const confirmed = task.polled.attempt === attempt ? task.polled.confirmed : 0;
  const { output, ...end } = shownIn(answer);
  const shown = output[0] === 'restart' ? output.slice(1) : output;
  expect(end).toEqual({ completed: task.end !== undefined, status: task.end?.status ?? 0 });
  expect(shown).toEqual(items.slice(items.length - shown.length));
  expect(shown.length).toBeGreaterThanOrEqual(items.length - confirmed);
}

/** What the client may be answered now: all that it lacks, of one attempt. */
function possibleAnswers(task: Task): Answer[] {
  const { client, end, sent, isGone } = task;
  if (isGone) return [404];
  if (end?.state === 'FAILURE') return [500];
  const attempt = shownAttempt(task);
  const items = sent.get(attempt) ?? [];
  const shown = (output: readonly string[]) => ({ output, completed: end !== undefined, status: end?.status ?? 0 });
  if (attempt === client.attempt) return [shown(items.slice(client.items))];
  const told = shown(['restart', ...items]);
  if (client.received > 0) return [told];
  // What was taken leaves no trace: of a lost attempt that had sent nothing all may have been taken.
  return client.sendsRead ? [shown(items)] : [shown(items), told];
}

/** After the client has received an answer. */
export function received(task: Task, { output }: Shown): Task {
  const { client } = task;
  const attempt = shownAttempt(task);
  const items = output.filter((each) => each !== 'restart').length + (attempt === client.attempt ? client.items : 0);
  return { ...task, client: { ...client, attempt, items, received: client.received + output.length } };
}

/** What an answer shows, which must be possible now. */
export function answerOf(task: Task, answer: Answer): Shown {
  expect(possibleAnswers(task)).toContainEqual(answer);
  return shownIn(answer);
}

/**
 * After two answers that were given while `words` came in: fails unless there is an order in which
 * each is possible. The client then has the first of them, or both where each takes what it shows.
 */
export function explain(
  task: Task,
  [left, right]: [Answer, Answer],
  words: readonly ReplyMessage[],
  take: (task: Task, shown: Shown) => Task,
): Task {
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const) {
    for (let before = 0; before <= words.length; before++) {
      for (let between = before; between <= words.length; between++) {
        const first = words.slice(0, before).reduce(said, task);
        if (!isPossible(first, one)) continue;
        const taken = take(first, shownIn(one));
        const second = words.slice(before, between).reduce(said, taken);
        // With `read` both polls have said the same, and so are owed the same; the client goes by the first.
        const asked = task.client.sendsRead ? { ...second, client: task.client } : second;
        if (!isPossible(asked, other)) continue;
        const both = task.client.sendsRead ? second : take(second, shownIn(other));
        return words.slice(between).reduce(said, both);
      }
    }
  }
  throw new Error(
    `two polls at once: ${JSON.stringify([left, right])}; before them: ${JSON.stringify(possibleAnswers(task))}`,
  );
}

const NOTHING: Shown = { output: [], completed: false, status: 0 };
const shownIn = (answer: Answer): Shown => (typeof answer === 'number' ? NOTHING : answer);
const isPossible = (task: Task, answer: Answer) =>
  possibleAnswers(task).some((each) => JSON.stringify(each) === JSON.stringify(answer));
