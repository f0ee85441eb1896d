/**
 * What one poll answers, from what lies in the task's reply queue and what the client says that it
 * has. Pure: the queue is the only memory, so every replica comes to the same answer.
 *
 * A client counts the items that it has received over the whole task. The first attempt's items
 * are 1, 2, ...; a later attempt's come after those that the client had received by then (which a
 * restart message keeps) and one notice. A larger count than the task has items cannot be this
 * task's: such a poll shows all items, and changes nothing in the queue.
 *
 * An answer has a bound. It shows whole messages up to it, one at least, and the next poll goes on
 * from there. The task has ended for a client once it has been shown everything before the end.
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

/** Where the queue cannot tell how many items there were, every count may be right that a number can hold exactly. */
const ANY_COUNT = Number.MAX_SAFE_INTEGER - 1;

/** About how many bytes an answer may have: 1 MiB of ordinary text fits in one, the worst text takes five. */
export const ANSWER_BYTES = 1.5 * 1024 * 1024;

export interface PollAnswer {
  answer: CheckOutputAnswer;
  /** About how many bytes the answer has as JSON. */
  bytes: number;
  /** The end of the task, once it has come and the client has been shown all that precedes it. */
  final?: FinalMessage;
}

/** What a poll may show. */
export interface PollRoom {
  /** Size of each message, in the messages' order. */
  readonly bytes: readonly number[];
  readonly limitBytes: number;
}

export interface PollDecision {
  /** Indices of messages that no poll will need any more. */
  remove: number[];
  /** To be kept for later polls, before anything is removed. */
  append?: RestartMessage;
  /** It answers nothing that the client does not know. */
  isEmpty: boolean;
  result: PollAnswer;
}

/**
 * `messages` is all that is in the queue, oldest first (undefined: of another version, for a widget
 * of that version to answer); `read` is how many items the client has, or undefined for a client
 * that takes each item once.
 */
export function decidePoll(messages: Reply[], read: number | undefined, { bytes, limitBytes }: PollRoom): PollDecision {
  const kept = messages.findLast((message): message is RestartMessage => message?.kind === 'restart');
  // The first end is the end, but for one of an attempt that this client was told is lost.
  const final = messages.find(
    (message): message is FinalMessage => message?.kind === 'final' && message.attempt >= (kept?.attempt ?? 1),
  );
  const attempt = final?.attempt ?? newestAttempt(messages, kept);
  const most = mostReceived(messages, kept);
  const isPossible = read === undefined || read <= most;
  const has = isPossible ? read : 0;
  const received = read === undefined ? drained(messages, kept) : Math.min(read, most);
  const restart = kept?.attempt === attempt ? kept : newRestart(attempt, received);
  const isNew = restart !== undefined && restart !== kept;

  const offset = offsetOf(restart);
  const output: OutputItem[] = [];
  if (offset > 0 && (has === undefined ? isNew : has < offset)) output.push(RESTART_NOTICE);

  const remove: number[] = [];
  let shownBytes = 0;
  let isFull = false;
  for (const [index, message] of messages.entries()) {
    // For later polls, here or in a newer widget.
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
      // One by one: a spread puts all of them on the stack.
      for (const item of message.items.slice(had)) output.push(item);
      if (has === undefined) remove.push(index);
    } else if (message !== kept || isNew) {
      // Of a lost attempt, or a mark that another takes the place of.
      remove.push(index);
    }
  }

  // A failure is told at once: its answer has no output.
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

function newestAttempt(messages: Reply[], kept: RestartMessage | undefined): number {
  return messages.reduce((newest, message) => Math.max(newest, message?.attempt ?? 1), kept?.attempt ?? 1);
}

/** The mark of an attempt that no poll has seen before, or undefined for a first attempt. */
function newRestart(attempt: number, received: number): RestartMessage | undefined {
  return attempt === 1 ? undefined : { version: MESSAGE_VERSION, kind: 'restart', attempt, received };
}

/** How many items a client counts before the first one of the attempt that `restart` marks. */
const offsetOf = (restart: RestartMessage | undefined) => (restart && restart.received > 0 ? restart.received + 1 : 0);

/**
 * The number of items that polls can have shown. Items are removed in their order, so any message
 * that is left of the attempt that was shown last tells it; with none left, any count may be right.
 */
function mostReceived(messages: Reply[], kept: RestartMessage | undefined): number {
  const shown = kept?.attempt ?? 1;
  const counts = messages.map((message) => {
    if (message?.attempt !== shown) return -1;
    if (isOutput(message)) return message.first + countOf(message) - 1;
    return message.kind === 'final' ? message.items : -1;
  });
  const last = counts.reduce((most, count) => Math.max(most, count), -1);
  return last < 0 ? ANY_COUNT : offsetOf(kept) + last;
}

/** How many items a client that takes each item once has had of the lost attempts. */
function drained(messages: Reply[], kept: RestartMessage | undefined): number {
  const before = kept ? kept.received : 0;
  // Of the attempt that it was shown last; later ones may have come and gone unseen.
  const shown = kept ? kept.attempt : 1;
  const left = messages.filter(isOutput).find((message) => message.attempt === shown);
  // With nothing left of it, what it had sent was taken.
  return left ? before + left.first - 1 : before + 1;
}
