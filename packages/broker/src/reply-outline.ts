/** Outlines of output messages, in their headers. A poll need not keep or parse the contents of a long backlog. */
import type { ConsumeMessage } from 'amqplib';
import { decodeReplyMessage, MESSAGE_VERSION, type ReplyMessage } from '@code-widgets/protocol';

/** An output message without its items: `count` items, of which `first` is the number of the first. */
export interface OutputOutline {
  readonly kind: 'outline';
  readonly attempt: number;
  readonly first: number;
  readonly count: number;
}

export type Reply = ReplyMessage | OutputOutline | undefined;

const HEADER = 'outline';

export function outlineHeaders(message: ReplyMessage): Record<string, unknown> {
  if (message.kind !== 'output') return {};
  const { version, attempt, first, items } = message;
  return { [HEADER]: JSON.stringify([version, attempt, first, items.length]) };
}

function outlineOf({ properties }: ConsumeMessage): OutputOutline | undefined {
  const match = /^\[(\d+),(\d{1,9}),(\d{1,9}),(\d{1,9})\]$/.exec(String(properties.headers?.[HEADER] ?? ''));
  const [version, attempt, first, count] = match?.slice(1).map(Number) ?? [];
  if (version !== MESSAGE_VERSION || !attempt || !first || !count) return undefined;
  return { kind: 'outline', attempt, first, count };
}

const MIB = 1024 * 1024;
/** Content that one poll keeps: messages that the client has confirmed, and the next answer. */
const KEPT_BYTES = 3 * MIB;
/** Maximum size of one message. Workers send up to 2 MiB. */
export const REPLY_MESSAGE_BYTES = KEPT_BYTES;
/** Content that all polls of this process keep. Above it, a poll keeps and answers only its first message. */
const KEPT_IN_ALL_BYTES = 32 * MIB;
/** Maximum size of messages other than output, such as the final one. */
const SMALL_BYTES = 16 * 1024;
let keptInAll = 0;

/** The messages that a poll has consumed, oldest first, with the contents of the first few MiB. */
export class Backlog {
  private kept = 0;
  private isOver = false;
  private entries: { message: ConsumeMessage; bytes: number; outline: OutputOutline | undefined }[] = [];

  get length(): number {
    return this.entries.length;
  }

  /** Size of each message's content, kept or not. */
  get bytes(): number[] {
    return this.entries.map(({ bytes }) => bytes);
  }

  add(message: ConsumeMessage): void {
    // The poll is over, and the broker requeues this message with the others.
    if (this.isOver) return;
    const bytes = message.content.length;
    const fits = this.kept === 0 || (this.kept + bytes <= KEPT_BYTES && keptInAll + bytes <= KEPT_IN_ALL_BYTES);
    const outline = fits ? undefined : outlineOf(message);
    // A compromised worker can send a large message without an outline. Its content is dropped.
    const isFit = (fits && bytes <= REPLY_MESSAGE_BYTES) || (!outline && bytes <= SMALL_BYTES);
    if (isFit) this.addKept(bytes);
    else message.content = NOTHING;
    this.entries.push({ message, bytes, outline });
  }

  private addKept(bytes: number): void {
    this.kept += bytes;
    keptInAll += bytes;
  }

  /** Releases the kept bytes. To be called at the end of the poll. */
  dispose(): void {
    this.isOver = true;
    this.addKept(-this.kept);
  }

  messageAt(index: number): ConsumeMessage | undefined {
    return this.entries[index]?.message;
  }

  replies(): Reply[] {
    return this.entries.map(({ message, outline }) => outline ?? decodeReplyMessage(message.content));
  }

  /** Whether the final message is there. No message follows it. */
  get hasEnded(): boolean {
    const last = this.entries.at(-1);
    return (
      last !== undefined && last.outline === undefined && decodeReplyMessage(last.message.content)?.kind === 'final'
    );
  }

  remove(indices: ReadonlySet<number>): void {
    for (const [index, { message, outline }] of this.entries.entries()) {
      if (indices.has(index) && !outline) this.addKept(-message.content.length);
    }
    this.entries = this.entries.filter((_, index) => !indices.has(index));
  }
}

const NOTHING = Buffer.alloc(0);
