/** A task's reply queue without a broker, and messages of workers. */
import { expect } from '@jest/globals';
import type { Reply } from '@code-widgets/broker';
import type { FinalMessage, OutputMessage } from '@code-widgets/protocol';

import { decidePoll } from '../src/poll.js';

export const output = (attempt: number, first: number, ...texts: string[]): OutputMessage => ({
  version: 1,
  kind: 'output',
  attempt,
  first,
  items: texts.map((data) => ({ msg: { type: 'stdout', data } })),
});
export const end = (attempt: number, items: number, status = 0): FinalMessage => ({
  version: 1,
  kind: 'final',
  attempt,
  items,
  state: 'SUCCESS',
  status,
  workMs: 5,
});

/** A reply queue as the broker keeps it, polled by one client. */
export class Queue {
  messages: Reply[] = [];

  /** @param limitBytes of an answer; each item counts as one byte */
  constructor(private readonly limitBytes = Infinity) {}

  push(...messages: Reply[]): this {
    this.messages.push(...messages);
    return this;
  }
  poll(read?: number) {
    const bytes = this.messages.map((message) => (message?.kind === 'output' ? message.items.length : 1));
    const { remove, append, result } = decidePoll(this.messages, read, { bytes, limitBytes: this.limitBytes });
    this.messages = this.messages.filter((_, index) => !remove.includes(index)).concat(append ?? []);
    return { ...result.answer, output: result.answer.output.map(({ msg }) => msg.data as string) };
  }
}
export const PENDING = { completed: false, status: 0, message: 'PENDING' };
/** The item that announces a restart. */
export const NOTICE = expect.stringMatching(/started again/) as unknown as string;
