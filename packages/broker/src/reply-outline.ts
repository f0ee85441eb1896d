/**
 * What a poll has to know of an output message that it does not show: written into the message's
 * headers, so that a long backlog is neither kept in memory nor parsed by each poll.
 */
import type { ConsumeMessage } from 'amqplib';
import { decodeReplyMessage, MESSAGE_VERSION, type ReplyMessage } from '@code-widgets/protocol';

/** An output message without its items. */
export interface OutputOutline {
  readonly kind: 'outline';
  readonly attempt: number;
  /** The number of the first of its items. */
  readonly first: number;
  /** How many items it has. */
  readonly count: number;
}

/** A message as a poll sees it: undefined if this version does not understand it. */
export type Reply = ReplyMessage | OutputOutline | undefined;

const HEADER = 'outline';

export function outlineHeaders(message: ReplyMessage): Record<string, unknown> {
  if (message.kind !== 'output') return {};
  const { version, attempt, first, items } = message;
  return { [HEADER]: JSON.stringify([version, attempt, first, items.length]) };
}

/** Undefined for all but an output message of this version that a worker with outlines has sent. */
function outlineOf({ properties }: ConsumeMessage): OutputOutline | undefined {
  const match = /^\[(\d+),(\d{1,9}),(\d{1,9}),(\d{1,9})\]$/.exec(String(properties.headers?.[HEADER] ?? ''));
  const [version, attempt, first, count] = match?.slice(1).map(Number) ?? [];
  if (version !== MESSAGE_VERSION || !attempt || !first || !count) return undefined;
  return { kind: 'outline', attempt, first, count };
}

const MIB = 1024 * 1024;
/** Content that one poll keeps: what the client has confirmed, and the answer that follows. */
const KEPT_BYTES = 3 * MIB;
/** Maximum size of one message. Workers send up to 2 MiB. */
export const REPLY_MESSAGE_BYTES = KEPT_BYTES;
/**
 * Content that all polls of this process keep together. Beyond it a poll keeps its first message, and answers
 * no more than that.
 */
const KEPT_IN_ALL_BYTES = 32 * MIB;
/** Upper bound for messages other than output, such as the final one. */
const SMALL_BYTES = 16 * 1024;
let keptInAll = 0;

/** All messages that a poll has in its hands, oldest first, with the contents of the first few MiB of output. */
export class Backlog {
  private kept = 0;
  private isOver = false;
  private entries: { message: ConsumeMessage; bytes: number; outline: OutputOutline | undefined }[] = [];

  get length(): number {
    return this.entries.length;
  }

  /** Of the content of each message, kept or not. */
  get bytes(): number[] {
    return this.entries.map(({ bytes }) => bytes);
  }

  add(message: ConsumeMessage): void {
    // The broker gives it back with the others.
    if (this.isOver) return;
    const bytes = message.content.length;
    const fits = this.kept === 0 || (this.kept + bytes <= KEPT_BYTES && keptInAll + bytes <= KEPT_IN_ALL_BYTES);
    const outline = fits ? undefined : outlineOf(message);
    // A compromised worker can send any size without an outline. The content of such a message is dropped.
    const isFit = (fits && bytes <= REPLY_MESSAGE_BYTES) || (!outline && bytes <= SMALL_BYTES);
    if (isFit) this.keep(bytes);
    else message.content = NOTHING;
    this.entries.push({ message, bytes, outline });
  }

  private keep(bytes: number): void {
    this.kept += bytes;
    keptInAll += bytes;
  }

  /** To be called when the poll is over: nothing is kept any more. */
  dispose(): void {
    this.isOver = true;
    this.keep(-this.kept);
  }

  messageAt(index: number): ConsumeMessage | undefined {
    return this.entries[index]?.message;
  }

  replies(): Reply[] {
    return this.entries.map(({ message, outline }) => outline ?? decodeReplyMessage(message.content));
  }

  /** Whether the task's end is there, behind which nothing comes. */
  get hasEnded(): boolean {
    const last = this.entries.at(-1);
    return (
      last !== undefined && last.outline === undefined && decodeReplyMessage(last.message.content)?.kind === 'final'
    );
  }

  remove(indices: ReadonlySet<number>): void {
    for (const [index, { message, outline }] of this.entries.entries()) {
      if (indices.has(index) && !outline) this.keep(-message.content.length);
    }
    this.entries = this.entries.filter((_, index) => !indices.has(index));
  }
}

const NOTHING = Buffer.alloc(0);
