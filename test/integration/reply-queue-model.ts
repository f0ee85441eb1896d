/** What the client of a task may see by points 3, 4 and 11 of the contract. */
import type { FinalMessage, OutputItem, ReplyMessage } from '@code-widgets/protocol';
import { expect } from '@jest/globals';

/** The complete state of a task. */
export interface Task {
  /** The current attempt. */
  readonly attempt: number;
  /** The items of each attempt that has sent any, oldest attempt first. */
  readonly sent: ReadonlyMap<number, readonly string[]>;
  /** The first final message, which counts. */
  readonly end?: FinalMessage;
  /** Whether the current attempt has sent its final message. */
  readonly hasEnded: boolean;
  /** Whether the queue has expired. */
  readonly isGone: boolean;
  /** What polls have done to the queue, whether or not their answers arrived. */
  readonly polled: { readonly attempt: number; readonly confirmed: number };
  readonly client: Client;
}

export interface Client {
  readonly sendsRead: boolean;
  /** The attempt of the last items received, and their number. */
  readonly attempt: number;
  readonly items: number;
  /** All items received. */
  readonly received: number;
}

/** The result of a poll: the texts of its items, with the notice of a restart as `restart`. */
export interface Shown {
  readonly output: readonly string[];
  readonly completed: boolean;
  readonly status: number;
}

/** A result, or the status of a poll that shows nothing. */
export type Answer = Shown | number;

export const textOf = ({ msg }: OutputItem): string => (msg.type === 'lab' ? 'verdict' : msg.data);

/** The next worker has the task. */
export const begin = (task: Task): Task => ({ ...task, attempt: task.attempt + 1, hasEnded: false });

/** Updates the model after a worker's message. */
export function said(task: Task, message: ReplyMessage): Task {
  const own = task.sent.get(message.attempt) ?? [];
  const more = message.kind === 'output' ? message.items.map(textOf) : [];
  const sent = new Map(task.sent).set(message.attempt, [...own, ...more]);
  if (message.kind !== 'final') return { ...task, sent };
  return { ...task, sent, hasEnded: true, end: task.end ?? message };
}

/** The attempt that is shown: the one that ended the task, or the newest one with output. */
const shownAttempt = ({ sent, end }: Task) => end?.attempt ?? Math.max(1, ...sent.keys());

/** Updates the model after a poll, even if its answer is lost: the poll confirms earlier items. */
export function polled(task: Task): Task {
  const attempt = shownAttempt(task);
  const confirmed = task.client.attempt === attempt ? task.client.items : 0;
  return { ...task, polled: { attempt, confirmed } };
}

/** A `read` of one more than all items of the task and the notices between its attempts. */
export const impossibleRead = ({ attempt, sent }: Task): number => [...sent.values()].flat().length + attempt;

/**
 * Whether the queue can recognize an impossible `read`. It cannot after a restart if no item of the attempt
 * shown last is left: any `read` may be correct then.
 */
export const canJudge = (task: Task): boolean =>
  task.polled.attempt === shownAttempt(task) ||
  task.polled.confirmed < (task.sent.get(task.polled.attempt)?.length ?? 0);

/**
 * Fails unless an impossible `read` shows all items, except some confirmed ones, with or without the notice
 * before them.
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

/** All correct answers now: every item of one attempt that the client lacks. */
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
  // Taken items leave no trace, so a lost attempt without items in the queue may have sent some.
  return client.sendsRead ? [shown(items)] : [shown(items), told];
}

/** Updates the model after the client has received an answer. */
export function received(task: Task, { output }: Shown): Task {
  const { client } = task;
  const attempt = shownAttempt(task);
  const items = output.filter((each) => each !== 'restart').length + (attempt === client.attempt ? client.items : 0);
  return { ...task, client: { ...client, attempt, items, received: client.received + output.length } };
}

/** The result of an answer; fails unless it is correct now. */
export function answerOf(task: Task, answer: Answer): Shown {
  expect(possibleAnswers(task)).toContainEqual(answer);
  return shownIn(answer);
}

/**
 * Fails unless two answers given during `words` are correct in some order. The client keeps the first, or both
 * if it takes each item once.
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
        // Both polls sent the same `read` and get the same items; the client uses the first answer.
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
