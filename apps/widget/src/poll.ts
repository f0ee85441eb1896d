/**
 * Decides what a poll answers, from the messages in the task's reply queue and the client's `read`. Pure, so every
 * replica gives the same answer.
 *
 * A client counts the items of the whole task. The first attempt's items are 1, 2, ... A later attempt's items
 * follow the items that the client had received before it (in a restart message) and one notice. A count above the
 * task's number of items must belong to another task. Such a poll is answered with all items, and removes nothing.
 *
 * An answer has whole messages up to a size limit, at least one; the next poll continues there. The client is told
 * of the end after it was sent everything before.
 */
import type { Reply } from '@code-widgets/broker';
import {
  MESSAGE_VERSION,
  type CheckOutputAnswer,
  type FinalMessage,
  type OutputItem,
  type RestartMessage,
} from '@code-widgets/protocol';

const RESTART_NOTICE: OutputItem = {
  msg: { type: 'stderr', data: 'The run was started again: the machine that it ran on was lost.' },
};

/** Limit of `read` if the queue cannot tell it. Adding 1 to it is still exact. */
const ANY_COUNT = Number.MAX_SAFE_INTEGER - 1;

/** Approximate limit. 1 MiB of ordinary text fits in one answer; the worst text takes five. */
export const ANSWER_BYTES = 1.5 * 1024 * 1024;

export interface PollAnswer {
  answer: CheckOutputAnswer;
  /** Approximate size as JSON. */
  bytes: number;
  /** The end of the task, once the client has been sent everything before it. */
  final?: FinalMessage;
}

export interface PollRoom {
  /** Size of each message, by its index. */
  readonly bytes: readonly number[];
  readonly limitBytes: number;
}

export interface PollDecision {
  /** Indices of messages that no later poll needs. */
  remove: number[];
  /** Published for later polls before anything is removed. */
  append?: RestartMessage;
  /** The answer has nothing new for the client. */
  isEmpty: boolean;
  result: PollAnswer;
}

/**
 * `messages` is the whole queue, oldest first. An undefined message is of another version, and left for an API
 * process of that version. `read` is how many items the client has; undefined for a client that gets each item once.
 */
export function decidePoll(messages: Reply[], read: number | undefined, { bytes, limitBytes }: PollRoom): PollDecision {
  const stored = messages.findLast((message): message is RestartMessage => message?.kind === 'restart');
  // The first final message counts, unless its attempt was reported to the client as lost.
  const final = messages.find(
    (message): message is FinalMessage => message?.kind === 'final' && message.attempt >= (stored?.attempt ?? 1),
  );
  const attempt = final?.attempt ?? newestAttempt(messages, stored);
  const most = mostReceived(messages, stored);
  const isPossible = read === undefined || read <= most;
  const has = isPossible ? read : 0;
  const received = read === undefined ? drained(messages, stored) : Math.min(read, most);
  const restart = stored?.attempt === attempt ? stored : newRestart(attempt, received);
  const isNew = restart !== undefined && restart !== stored;

  const offset = offsetOf(restart);
  const output: OutputItem[] = [];
  if (offset > 0 && (has === undefined ? isNew : has < offset)) output.push(RESTART_NOTICE);

  const remove: number[] = [];
  let shownBytes = 0;
  let isFull = false;
  for (const [index, message] of messages.entries()) {
    // Not removed: later polls need the final message, and a newer API process the message of its version.
    if (message === undefined || message.kind === 'final') continue;
    if (isOutput(message) && message.attempt === attempt) {
      const had = has === undefined ? 0 : Math.max(0, has - offset - message.first + 1);
      if (had >= countOf(message)) {
        remove.push(index);
        continue;
      }
      const size = bytes[index] ?? 0;
      isFull ||= message.kind === 'outline' || (shownBytes > 0 && shownBytes + size > limitBytes);
      if (isFull || message.kind === 'outline') continue;
      shownBytes += size;
      // Not push(...items): a spread puts all items on the stack.
      for (const item of message.items.slice(had)) output.push(item);
      if (has === undefined) remove.push(index);
    } else if (message !== stored || isNew) {
      // Output of a lost attempt, or a restart message that is replaced.
      remove.push(index);
    }
  }

  // A failure is reported at once, because its answer has no output.
  const shownEnd = isFull && final?.state !== 'FAILURE' ? undefined : final;
  return {
    remove: isPossible ? remove : [],
    ...(isNew && isPossible && { append: restart }),
    isEmpty: output.length === 0 && final === undefined && !isFull,
    result: {
      answer: {
        output,
        completed: shownEnd !== undefined,
        status: shownEnd?.status ?? 0,
        message: shownEnd?.state ?? 'PENDING',
      },
      bytes: shownBytes,
      ...(shownEnd && { final: shownEnd }),
    },
  };
}

type OutputReply = Extract<Reply, { kind: 'output' | 'outline' }>;

const isOutput = (message: Reply): message is OutputReply => message?.kind === 'output' || message?.kind === 'outline';
const countOf = (message: OutputReply) => (message.kind === 'output' ? message.items.length : message.count);

function newestAttempt(messages: Reply[], stored: RestartMessage | undefined): number {
  return messages.reduce((newest, message) => Math.max(newest, message?.attempt ?? 1), stored?.attempt ?? 1);
}

/** The message for an attempt that no poll has seen before; undefined for a first attempt. */
function newRestart(attempt: number, received: number): RestartMessage | undefined {
  return attempt === 1 ? undefined : { version: MESSAGE_VERSION, kind: 'restart', attempt, received };
}

/** Number of items before the attempt of `restart`. The notice counts as one. */
const offsetOf = (restart: RestartMessage | undefined) => (restart && restart.received > 0 ? restart.received + 1 : 0);

/**
 * The most items that polls may have sent: the number of the last item of the attempt that was sent last. The newest
 * message tells this number. Messages are removed oldest first, so the newest one is there if any is. If none is left,
 * every count is possible.
 */
function mostReceived(messages: Reply[], stored: RestartMessage | undefined): number {
  const shown = stored?.attempt ?? 1;
  const counts = messages.map((message) => {
    if (message?.attempt !== shown) return -1;
    if (isOutput(message)) return message.first + countOf(message) - 1;
    return message.kind === 'final' ? message.items : -1;
  });
  const last = counts.reduce((most, count) => Math.max(most, count), -1);
  return last < 0 ? ANY_COUNT : offsetOf(stored) + last;
}

/** How many items of the lost attempts a client without `read` has received. */
function drained(messages: Reply[], stored: RestartMessage | undefined): number {
  const before = stored ? stored.received : 0;
  // Looks at the attempt that was sent last. Later attempts may have been lost before a poll saw them.
  const shown = stored ? stored.attempt : 1;
  const left = messages.filter(isOutput).find((message) => message.attempt === shown);
  // If no output is left, the client has received it: count it as one item.
  return left ? before + left.first - 1 : before + 1;
}
