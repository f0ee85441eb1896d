/**
 * What one poll answers, from what lies in the task's reply queue and what the client says that it
 * has. Pure: the queue is the only memory, so every replica comes to the same answer.
 *
 * A client counts the items that it has received over the whole task. The first attempt's items
 * are 1, 2, ...; a later attempt's come after those that the client had received by then (which a
 * restart message keeps) and one notice.
 */
import {
  MESSAGE_VERSION,
  type CheckOutputAnswer,
  type FinalMessage,
  type OutputItem,
  type OutputMessage,
  type ReplyMessage,
  type RestartMessage,
} from '@code-widgets/protocol';

const RESTART_NOTICE: OutputItem = {
  msg: { type: 'stderr', data: 'The run was started again: the machine that it ran on was lost.' },
};

export interface PollAnswer {
  answer: CheckOutputAnswer;
  /** The end of the task, once it has come. */
  final?: FinalMessage;
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
export function decidePoll(messages: (ReplyMessage | undefined)[], read: number | undefined): PollDecision {
  const kept = messages.findLast((message): message is RestartMessage => message?.kind === 'restart');
  // The first end is the end, but for one of an attempt that this client was told is lost.
  const final = messages.find(
    (message): message is FinalMessage => message?.kind === 'final' && message.attempt >= (kept?.attempt ?? 1),
  );
  const attempt = final?.attempt ?? newestAttempt(messages, kept);
  const restart = kept?.attempt === attempt ? kept : newRestart(messages, attempt, kept, read);
  const isNew = restart !== undefined && restart !== kept;

  const offset = restart && restart.received > 0 ? restart.received + 1 : 0;
  const output: OutputItem[] = [];
  if (offset > 0 && (read === undefined ? isNew : read < offset)) output.push(RESTART_NOTICE);

  const remove: number[] = [];
  for (const [index, message] of messages.entries()) {
    // For later polls, here or in a newer widget; and for the worker that has to tell a stopped worker from a lost one.
    if (message === undefined || message.kind === 'final' || message.kind === 'begun' || message.kind === 'returned') continue;
    if (message.kind === 'output' && message.attempt === attempt) {
      const had = read === undefined ? 0 : Math.max(0, read - offset - message.first + 1);
      // One by one: a spread puts all of them on the stack.
      for (const item of message.items.slice(had)) output.push(item);
      if (read === undefined || had >= message.items.length) remove.push(index);
    } else if (message !== kept || isNew) {
      // Of a lost attempt, or a mark that another takes the place of.
      remove.push(index);
    }
  }

  return {
    remove,
    ...(isNew && { append: restart }),
    isEmpty: output.length === 0 && final === undefined,
    result: {
      answer: {
        output,
        completed: final !== undefined,
        status: final?.status ?? 0,
        message: final?.state ?? 'PENDING',
      },
      ...(final && { final }),
    },
  };
}

function newestAttempt(messages: (ReplyMessage | undefined)[], kept: RestartMessage | undefined): number {
  return messages.reduce((newest, message) => Math.max(newest, message?.attempt ?? 1), kept?.attempt ?? 1);
}

/** The mark of an attempt that no poll has seen before, or undefined for a first attempt. */
function newRestart(
  messages: (ReplyMessage | undefined)[],
  attempt: number,
  kept: RestartMessage | undefined,
  read: number | undefined,
): RestartMessage | undefined {
  if (attempt === 1) return undefined;
  const received = read ?? drained(messages, kept);
  return { version: MESSAGE_VERSION, kind: 'restart', attempt, received };
}

/** How many items a client that takes each item once has had of the lost attempts. */
function drained(messages: (ReplyMessage | undefined)[], kept: RestartMessage | undefined): number {
  const before = kept ? kept.received : 0;
  // Of the attempt that it was shown last; later ones may have come and gone unseen.
  const shown = kept ? kept.attempt : 1;
  const left = messages.find((message): message is OutputMessage => message?.kind === 'output' && message.attempt === shown);
  // With nothing left of it, what it had sent was taken.
  return left ? before + left.first - 1 : before + 1;
}
