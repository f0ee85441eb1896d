import { describe, expect, it } from '@jest/globals';
import { encodeMessage, type OutputMessage, type ReplyMessage } from '@code-widgets/protocol';
import type { ConsumeMessage } from 'amqplib';

import { Backlog, outlineHeaders } from '../src/reply-outline.js';

const MIB = 1024 * 1024;
const output = (first: number, bytes: number): OutputMessage => ({
  ...{ version: 1, kind: 'output', attempt: 1, first },
  items: [{ msg: { type: 'stdout', data: 'x'.repeat(bytes) } }],
});
const END: ReplyMessage = { version: 1, kind: 'final', attempt: 1, items: 9, state: 'SUCCESS', status: 0, workMs: 1 };
const delivery = (message: ReplyMessage, headers: object = outlineHeaders(message)) =>
  ({ content: encodeMessage(message), properties: { headers } }) as unknown as ConsumeMessage;

/** Creates a backlog for one test and disposes of it, since kept bytes are counted per process. */
function backlogOf(deliveries: ConsumeMessage[], look: (backlog: Backlog) => void): void {
  const backlog = new Backlog();
  for (const each of deliveries) backlog.add(each);
  look(backlog);
  backlog.dispose();
}
const kinds = (backlog: Backlog) => backlog.replies().map((reply) => reply?.kind);

describe('a backlog', () => {
  it('keeps up to 3 MiB, and outlines of further output', () => {
    backlogOf([1, 2, 3, 4, 5].map((first) => delivery(output(first, 0.9 * MIB))).concat(delivery(END)), (backlog) => {
      expect(kinds(backlog)).toEqual(['output', 'output', 'output', 'outline', 'outline', 'final']);
      expect(backlog.replies()[3]).toEqual({ kind: 'outline', attempt: 1, first: 4, count: 1 });
      expect(backlog.messageAt(3)?.content).toHaveLength(0);
      expect(backlog.bytes[3]).toBeGreaterThan(0.9 * MIB);
      expect(backlog.hasEnded).toBe(true);
    });
  });

  it('keeps no message over the size limit', () => {
    backlogOf([delivery(output(1, 3 * MIB), {}), delivery(END)], (backlog) => {
      expect(kinds(backlog)).toEqual([undefined, 'final']);
      expect(backlog.messageAt(0)?.content).toHaveLength(0);
    });
  });

  it('keeps no message over its limit, whatever the headers contain', () => {
    backlogOf(
      Array.from({ length: 10 }, (_, i) => delivery(output(i + 1, MIB), {})),
      (backlog) => {
        const kept = Array.from({ length: 10 }, (_, i) => backlog.messageAt(i)?.content.length ?? 0);
        expect(kept.reduce((sum, each) => sum + each)).toBeLessThanOrEqual(3 * MIB);
      },
    );
  });

  it.each([
    ['of a later version', '[2,1,2,1]'],
    ['that is not an array', '{}'],
    ['without items', '[1,1,2,0]'],
    ['that is a list', ['[1,1,2,1]', 'x']],
  ])('ignores an outline %s', (_, outline) => {
    backlogOf([delivery(output(1, 2.9 * MIB)), delivery(output(2, 0.01 * MIB), { outline })], (backlog) =>
      expect(kinds(backlog)).toEqual(['output', 'output']),
    );
  });

  it('has room again after removals', () => {
    backlogOf([delivery(output(1, 2 * MIB)), delivery(output(2, 0.5 * MIB))], (backlog) => {
      backlog.remove(new Set([0]));
      backlog.add(delivery(output(3, 2 * MIB)));
      expect(kinds(backlog)).toEqual(['output', 'output']);
    });
  });

  it('keeps only one message while all backlogs of the process hold 32 MiB', () => {
    const others = Array.from({ length: 16 }, () => new Backlog());
    for (const other of others) for (const first of [1, 2]) other.add(delivery(output(first, MIB - 100)));
    const two = [1, 2].map((first) => output(first, 0.9 * MIB));
    backlogOf(
      two.map((each) => delivery(each)),
      (backlog) => expect(kinds(backlog)).toEqual(['output', 'outline']),
    );
    for (const other of others) other.dispose();
    backlogOf(
      two.map((each) => delivery(each)),
      (backlog) => expect(kinds(backlog)).toEqual(['output', 'output']),
    );
  });
});
