/**
 * A task's output on its way to the reply queue: in order, numbered, and in few messages. What
 * comes within a moment, or while a message is being confirmed, leaves together.
 */
import { MESSAGE_VERSION, type FinalMessage, type LabVerdict, type OutputItem } from '@code-widgets/protocol';
import type { ReplyPublisher } from '@code-widgets/broker';

import { shortened } from './shortened.js';

/** About how many UTF-16 units one item may hold. */
const ITEM_SIZE = 64 * 1024;
/** About how many bytes of JSON one message may hold: a poll answers whole messages, within a bound. */
const MESSAGE_BYTES = 256 * 1024;
/**
 * Bytes of JSON that the `actual` texts of a verdict's failed cases may have together. The reader has the
 * whole output in the items before.
 */
const ACTUAL_BYTES = 384 * 1024;
/** Bytes of JSON that one UTF-16 unit takes at most: a control character is written as \u0001. */
const ESCAPE_BYTES = 6;
/**
 * Maximum number of items that keep the order of stdout and stderr. A task that alternates between
 * them more often has its further lines joined by stream, or they would fill the reply queue.
 */
export const ORDERED_ITEMS = 20_000;
/** How many of the waiting items are then searched for one that a line can join. */
const SEARCHED_ITEMS = 100;

/** How long an item waits for company, in ms: less than a reader notices, more than between two lines of a loop. */
const GATHER_MS = 20;

export type TextType = 'console' | 'stdout' | 'stderr';
type TextMessage = Extract<OutputItem['msg'], { type: TextType }>;

export class Reporter {
  private waiting: OutputItem[] = [];
  /** Texts that end with a whole line. Known, not looked up: to look at a text that has grown copies all of it. */
  private readonly whole = new WeakSet<object>();
  private sent = 0;
  private gathering: NodeJS.Timeout | undefined;
  private sending: Promise<void> | undefined;
  private broken: Error | undefined;

  /** `onFailure` hears once that items no longer reach the queue, so that nobody works for nothing. */
  constructor(
    private readonly replies: ReplyPublisher,
    private readonly attempt: number,
    private readonly onFailure: (error: Error) => void,
  ) {}

  /** Why items no longer reach the queue, if so. */
  get failure(): Error | undefined {
    return this.broken;
  }

  /** One item, or more lines of the last one if they belong together. */
  text(type: TextType, data: string, ref?: string): void {
    const open = type === 'console' ? undefined : this.openItem(type, data, ref);
    const msg = open ?? { type, data };
    if (open) open.data += data;
    else this.waiting.push({ msg, ...(ref !== undefined && { ref }) });
    if (data.endsWith('\n')) this.whole.add(msg);
    else this.whole.delete(msg);
    this.gather();
  }

  lab(verdict: LabVerdict): void {
    this.waiting.push({ msg: { type: 'lab', data: bounded(verdict) } });
    this.gather();
  }

  /** Publishes the one final message, behind all items. Rejects if any of them could not be sent. */
  async finish(end: Pick<FinalMessage, 'state' | 'status' | 'workMs'>): Promise<void> {
    for (this.send(); this.sending; this.send()) await this.sending;
    if (this.broken) throw this.broken;
    const { attempt, sent: items } = this;
    await this.replies.publish({ version: MESSAGE_VERSION, kind: 'final', attempt, items, ...end });
  }

  /** The waiting item that `data` can be a part of: the last one, or beyond ORDERED_ITEMS the last of its stream. */
  private openItem(type: TextType, data: string, ref: string | undefined): TextMessage | undefined {
    const searched = this.sent + this.waiting.length < ORDERED_ITEMS ? 1 : SEARCHED_ITEMS;
    for (let i = this.waiting.length - 1; i >= Math.max(0, this.waiting.length - searched); i--) {
      const { msg, ref: of } = this.waiting[i] as OutputItem;
      if (msg.type === 'console' || msg.type === 'lab' || of !== ref) return undefined;
      if (msg.type === type) return this.joins(msg, data) ? msg : undefined;
    }
    return undefined;
  }

  /** Whether `data` can follow in the same item: behind a whole line, and not without end. */
  private joins(msg: TextMessage, data: string): boolean {
    return this.whole.has(msg) && msg.data.length + data.length <= ITEM_SIZE;
  }

  private gather(): void {
    this.gathering ??= setTimeout(() => this.send(), GATHER_MS);
  }

  private send(): void {
    clearTimeout(this.gathering);
    this.gathering = undefined;
    if (this.sending || this.broken || this.waiting.length === 0) return;
    const items = this.nextBatch();
    const first = this.sent + 1;
    this.sent += items.length;
    this.sending = this.replies
      .publish({ version: MESSAGE_VERSION, kind: 'output', attempt: this.attempt, first, items })
      .then(undefined, (error: Error) => {
        this.broken = error;
        this.onFailure(error);
      })
      .finally(() => {
        this.sending = undefined;
        if (this.waiting.length > 0) this.gather();
      });
  }

  private nextBatch(): OutputItem[] {
    let end = 0;
    for (let bytes = 0; end < this.waiting.length && bytes < MESSAGE_BYTES; end++)
      bytes += jsonBytes(this.waiting[end]);
    return this.waiting.splice(0, end);
  }
}

const jsonBytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

/** A passed case's `actual` is its `out`, which the request's limits bound; a failed one's may be all of the output. */
function bounded({ success, cases }: LabVerdict): LabVerdict {
  let left = ACTUAL_BYTES;
  const entries = Object.entries(cases).map(([key, each]) => {
    if (each.status === 'Success') return [key, each] as const;
    const bytes = jsonBytes(each.actual);
    const actual = bytes <= left ? each.actual : shortened(each.actual, Math.floor(left / ESCAPE_BYTES));
    left = Math.max(0, left - bytes);
    return [key, { ...each, actual }] as const;
  });
  return { success, cases: Object.fromEntries(entries) };
}
