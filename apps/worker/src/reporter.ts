/**
 * A task's output on its way to the reply queue: in order, numbered, and in few messages. What
 * comes within a moment, or while a message is being confirmed, leaves together.
 */
import { MESSAGE_VERSION, type FinalMessage, type LabVerdict, type OutputItem } from '@code-widgets/protocol';
import type { ReplyPublisher } from '@code-widgets/broker';

/** About how many UTF-16 units one item, and one message, may hold. */
const ITEM_SIZE = 64 * 1024;
const MESSAGE_SIZE = 256 * 1024;

/** How long an item waits for company, in ms: less than a reader notices, more than between two lines of a loop. */
const GATHER_MS = 20;

export type TextType = 'console' | 'stdout' | 'stderr';

export class Reporter {
  private waiting: OutputItem[] = [];
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
    const last = this.waiting.at(-1);
    if (last && last.ref === ref && type !== 'console' && joins(last.msg, type, data)) last.msg.data += data;
    else this.waiting.push({ msg: { type, data }, ...(ref !== undefined && { ref }) });
    this.gather();
  }

  lab(verdict: LabVerdict): void {
    this.waiting.push({ msg: { type: 'lab', data: verdict } });
    this.gather();
  }

  /** Publishes the one final message, behind all items. Rejects if any of them could not be sent. */
  async finish(end: Pick<FinalMessage, 'state' | 'status' | 'workMs'>): Promise<void> {
    this.send();
    while (this.sending) await this.sending;
    if (this.broken) throw this.broken;
    const { attempt, sent: items } = this;
    await this.replies.publish({ version: MESSAGE_VERSION, kind: 'final', attempt, items, ...end });
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
        this.send();
      });
  }

  private nextBatch(): OutputItem[] {
    let end = 0;
    for (let size = 0; end < this.waiting.length && size < MESSAGE_SIZE; end++) {
      const data = this.waiting[end]?.msg.data;
      size += typeof data === 'string' ? data.length : 0;
    }
    return this.waiting.splice(0, end);
  }
}

/** Whether whole lines of one stream can be one item. */
function joins(msg: OutputItem['msg'], type: TextType, data: string): msg is { type: 'stdout' | 'stderr'; data: string } {
  return msg.type !== 'lab' && msg.type === type && msg.data.endsWith('\n') && msg.data.length + data.length <= ITEM_SIZE;
}
