/** Publishes a task's output to the reply queue: in order, numbered, and batched into few messages. */
import { MESSAGE_VERSION, type FinalMessage, type LabVerdict, type OutputItem } from '@code-widgets/protocol';
import type { ReplyPublisher } from '@code-widgets/broker';

import { shortened } from './shortened.js';

/** Approximate maximum length of an item, in UTF-16 units. */
const ITEM_SIZE = 64 * 1024;
/** Approximate maximum size of a message, in bytes of JSON. A poll answers whole messages. */
const MESSAGE_BYTES = 256 * 1024;
/**
 * Bytes of JSON for the `actual` texts of all failed cases. The user has the whole output already, in earlier items.
 */
const ACTUAL_BYTES = 384 * 1024;
/** Maximum bytes of JSON for one UTF-16 unit: a control character is written as \u0001. */
const ESCAPE_BYTES = 6;
/**
 * After this many items, stdout and stderr are no longer kept in order: a line joins the last item of its own stream.
 * Otherwise a task that alternates between them would fill the reply queue.
 */
export const ORDERED_ITEMS = 20_000;
/** How many waiting items are searched for one that a line can join. */
const SEARCHED_ITEMS = 100;

/** Delay of a batch in ms: too short for a reader to notice, longer than between two lines of a loop. */
const BATCH_MS = 20;

export type TextType = 'console' | 'stdout' | 'stderr';
type TextMessage = Extract<OutputItem['msg'], { type: TextType }>;

export class Reporter {
  private waiting: OutputItem[] = [];
  /**
   * Items whose text ends with \n. Only these may grow, because a part of a line is sent as it came. Remembered,
   * because reading a concatenated string makes V8 copy all of it.
   */
  private readonly completeItems = new WeakSet<object>();
  private sent = 0;
  private batchTimer: NodeJS.Timeout | undefined;
  private sending: Promise<void> | undefined;
  private firstError: Error | undefined;

  /** `onFailure` is called once when a publish fails, so that the task can stop. */
  constructor(
    private readonly replies: ReplyPublisher,
    private readonly attempt: number,
    private readonly onFailure: (error: Error) => void,
  ) {}

  /** The error of the first failed publish. */
  get failure(): Error | undefined {
    return this.firstError;
  }

  /** Adds an item, or joins the text to a waiting item. */
  text(type: TextType, data: string, ref?: string): void {
    const open = type === 'console' ? undefined : this.openItem(type, data, ref);
    const msg = open ?? { type, data };
    if (open) open.data += data;
    else this.waiting.push({ msg, ...(ref !== undefined && { ref }) });
    if (data.endsWith('\n')) this.completeItems.add(msg);
    else this.completeItems.delete(msg);
    this.scheduleSend();
  }

  lab(verdict: LabVerdict): void {
    this.waiting.push({ msg: { type: 'lab', data: bounded(verdict) } });
    this.scheduleSend();
  }

  /** Publishes the final message after all items. Rejects if an item was not published. */
  async finish(end: Pick<FinalMessage, 'state' | 'status' | 'workMs'>): Promise<void> {
    // Send until nothing waits.
    for (this.send(); this.sending; this.send()) await this.sending;
    if (this.firstError) throw this.firstError;
    const { attempt, sent: items } = this;
    await this.replies.publish({ version: MESSAGE_VERSION, kind: 'final', attempt, items, ...end });
  }

  /**
   * The waiting item that `data` can join, if any: the last one; after ORDERED_ITEMS, the last one of its stream. An
   * item of another kind or `ref` ends the search.
   */
  private openItem(type: TextType, data: string, ref: string | undefined): TextMessage | undefined {
    const searched = this.sent + this.waiting.length < ORDERED_ITEMS ? 1 : SEARCHED_ITEMS;
    for (let i = this.waiting.length - 1; i >= Math.max(0, this.waiting.length - searched); i--) {
      const { msg, ref: of } = this.waiting[i] as OutputItem;
      if (msg.type === 'console' || msg.type === 'lab' || of !== ref) return undefined;
      if (msg.type === type) return this.joins(msg, data) ? msg : undefined;
    }
    return undefined;
  }

  private joins(msg: TextMessage, data: string): boolean {
    return this.completeItems.has(msg) && msg.data.length + data.length <= ITEM_SIZE;
  }

  private scheduleSend(): void {
    this.batchTimer ??= setTimeout(() => this.send(), BATCH_MS);
  }

  private send(): void {
    clearTimeout(this.batchTimer);
    this.batchTimer = undefined;
    if (this.sending || this.firstError || this.waiting.length === 0) return;
    const items = this.nextBatch();
    const first = this.sent + 1;
    this.sent += items.length;
    this.sending = this.replies
      .publish({ version: MESSAGE_VERSION, kind: 'output', attempt: this.attempt, first, items })
      .then(undefined, (error: Error) => {
        this.firstError = error;
        this.onFailure(error);
      })
      .finally(() => {
        this.sending = undefined;
        if (this.waiting.length > 0) this.scheduleSend();
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

/**
 * Shortens `actual` of failed cases to ACTUAL_BYTES in all. For a passed case it equals `out`, which is limited
 * already.
 */
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
