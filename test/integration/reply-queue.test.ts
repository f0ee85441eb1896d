import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createReplyReader, ReplyQueueBusy, ReplyQueueGone, type Broker, type Reply } from '@code-widgets/broker';
import type { OutputMessage, ReplyMessage } from '@code-widgets/protocol';
import type { ConfirmChannel } from 'amqplib';
import { v4 as uuid } from 'uuid';

import { replyPublishers, type ReplyPublishers } from '../../packages/broker/src/reply-publisher.js';
import { connectTestBroker, connectTo, type TestBroker } from '../helpers/broker.js';

const output = (first: number, ...texts: string[]): OutputMessage => ({
  version: 1,
  kind: 'output',
  attempt: 1,
  first,
  items: texts.map((data) => ({ msg: { type: 'stdout', data } })),
});
const peek = (messages: Reply[]) => ({ remove: [], isEmpty: messages.length === 0, result: messages });

let test: TestBroker;
let broker: Broker;
let channel: ConfirmChannel;
let identifier: string;
let publishers: ReplyPublishers;

beforeAll(async () => {
  test = await connectTestBroker();
  ({ broker } = test);
  channel = await broker.openConfirmChannel();
  publishers = replyPublishers(channel, broker);
});
afterAll(() => test.end());

async function openQueue(): Promise<void> {
  identifier = uuid();
  await broker.topology.declareReplyQueue(channel, identifier);
}
const publish = (message: ReplyMessage) => publishers.to(identifier).publish(message);
const removeQueue = () => channel.deleteQueue(broker.topology.replyQueue(identifier));

describe('a poll of the reply queue', () => {
  it('sees all messages in order, and again if it leaves them', async () => {
    await openQueue();
    for (let first = 1; first <= 50; first++) await publish(output(first, `line ${first}\n`));
    const reader = createReplyReader(broker);

    const seen = await reader.poll(identifier, peek);
    expect(seen.map((message) => (message as OutputMessage).first)).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
    await reader.poll(identifier, (messages) => ({
      remove: [0, 1],
      append: output(51, 'appended\n'),
      result: messages,
    }));
    const left = await reader.poll(identifier, peek);
    expect(left.map((message) => (message as OutputMessage).first)).toEqual(
      Array.from({ length: 49 }, (_, i) => i + 3),
    );
    await removeQueue();
  });

  it('locks the queue: concurrent polls see all messages, one after the other', async () => {
    await openQueue();
    for (let first = 1; first <= 20; first++) await publish(output(first, 'x\n'));
    const other = await connectTo(test.namespace);
    const readers = [createReplyReader(broker), createReplyReader(other)];

    const counts = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        (readers[i % 2] as (typeof readers)[0]).poll(identifier, (m) => ({ remove: [], result: m.length })),
      ),
    );
    expect(counts).toEqual(Array(8).fill(20));
    await other.close();
    await removeQueue();
  });

  it('sees a long backlog completely', async () => {
    await openQueue();
    const count = 3000;
    const line = `${'x'.repeat(2000)}\n`;
    await Promise.all(Array.from({ length: count }, (_, i) => publish(output(i + 1, line))));
    const reader = createReplyReader(broker);
    for (let i = 0; i < 3; i++) {
      expect(await reader.poll(identifier, (messages) => ({ remove: [], result: messages.length }))).toBe(count);
    }
    await removeQueue();
  }, 30_000);

  it('among many polls of one task gets everything or a refusal, and delays no other task', async () => {
    await openQueue();
    for (let first = 1; first <= 20; first++) await publish(output(first, 'x\n'));
    const reader = createReplyReader(broker);
    const polls = Array.from({ length: 500 }, () => reader.poll(identifier, (m) => ({ remove: [], result: m.length })));
    const before = Date.now();
    await expect(reader.poll(uuid(), peek)).rejects.toBeInstanceOf(ReplyQueueGone);
    expect(Date.now() - before).toBeLessThan(2000);
    const settled = await Promise.allSettled(polls);
    const answers = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const refusals = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
    expect(answers.length).toBeGreaterThanOrEqual(8);
    expect(new Set(answers)).toEqual(new Set([20]));
    for (const refusal of refusals) expect(refusal).toBeInstanceOf(ReplyQueueBusy);
    await removeQueue();
  }, 30_000);

  it('of an empty queue takes one round trip on a kept channel, and a second one if the channel was lost', async () => {
    await openQueue();
    const opened = jest.spyOn(broker, 'openChannel');
    const reader = createReplyReader(broker);
    for (let i = 0; i < 20; i++) expect(await reader.poll(identifier, peek)).toEqual([]);
    expect(opened).toHaveBeenCalledTimes(1);
    // A poll of a missing queue closes its channel, which fails the concurrent polls on that channel.
    const polls = [identifier, uuid(), identifier].map((each) => reader.poll(each, peek));
    const [before, unknown, behind] = await Promise.allSettled(polls);
    expect([before, behind]).toEqual(Array(2).fill({ status: 'fulfilled', value: [] }));
    expect((unknown as PromiseRejectedResult).reason).toBeInstanceOf(ReplyQueueGone);
    await publish(output(1, 'there\n'));
    expect(await reader.poll(identifier, peek)).toHaveLength(1);
    opened.mockRestore();
    await removeQueue();
  });

  it('does not wait behind other polls of empty queues, whose channels are limited in number', async () => {
    await openQueue();
    const opened = jest.spyOn(broker, 'openChannel');
    const reader = createReplyReader(broker);
    for (let round = 0; round < 3; round++) {
      const polls = Array.from({ length: 400 }, () => reader.poll(identifier, peek));
      expect(await Promise.all(polls)).toEqual(Array(400).fill([]));
    }
    // 128, and a few more if the broker was late.
    expect(opened.mock.calls.length).toBeGreaterThan(1);
    expect(opened.mock.calls.length).toBeLessThan(400);
    opened.mockRestore();
    await removeQueue();
  });

  describe('that is a long poll', () => {
    const { signal } = new AbortController();
    const end: ReplyMessage = {
      version: 1,
      kind: 'final',
      attempt: 1,
      items: 1,
      state: 'SUCCESS',
      status: 0,
      workMs: 1,
    };

    it('is answered when output arrives, together with a final message right behind it', async () => {
      await openQueue();
      const begin = performance.now();
      const polled = createReplyReader(broker).poll(identifier, peek, { ms: 10_000, signal });
      await sleep(200);
      await publish(output(1, 'now\n'));
      await publish(end);
      expect(await polled).toEqual([output(1, 'now\n'), end]);
      expect(performance.now() - begin).toBeLessThan(2000);
      await removeQueue();
    });

    it('returns existing messages at once and otherwise ends at its timeout', async () => {
      await openQueue();
      const reader = createReplyReader(broker);
      const begin = performance.now();
      expect(await reader.poll(identifier, peek, { ms: 300, signal })).toEqual([]);
      expect(performance.now() - begin).toBeGreaterThan(290);
      await publish(output(1, 'there\n'));
      expect(await reader.poll(identifier, peek, { ms: 60_000, signal })).toHaveLength(1);
      await removeQueue();
    });

    it('keeps its timeout across a garbage collection', async () => {
      setFlagsFromString('--expose-gc');
      const collectMemory = runInNewContext('gc') as () => void;
      await openQueue();
      const polled = createReplyReader(broker).poll(identifier, peek, { ms: 1000, signal });
      for (let i = 0; i < 3; i++) {
        await sleep(100);
        collectMemory();
      }
      // A poll without its timer would never be answered.
      expect(await Promise.race([polled, sleep(10_000, 'never')])).toEqual([]);
      await removeQueue();
    }, 20_000);

    it('waits for messages that are new to its client, and removes confirmed ones', async () => {
      await openQueue();
      for (const first of [1, 2]) await publish(output(first, 'had\n'));
      const newer = (messages: Reply[]) => {
        const firsts = messages.map((message) => (message as OutputMessage).first);
        return {
          remove: firsts.flatMap((first, i) => (first === 1 ? [i] : [])),
          isEmpty: !firsts.includes(3),
          result: firsts,
        };
      };
      const polled = createReplyReader(broker).poll(identifier, newer, { ms: 10_000, signal });
      await sleep(200);
      await publish(output(3, 'new\n'));
      expect(await polled).toEqual([2, 3]);
      expect(await createReplyReader(broker).poll(identifier, peek)).toEqual([output(2, 'had\n'), output(3, 'new\n')]);
      await removeQueue();
    });

    it('takes nothing after its client has disconnected', async () => {
      await openQueue();
      const gone = new AbortController();
      const drain = (messages: Reply[]) => ({
        remove: messages.map((_, i) => i),
        isEmpty: messages.length === 0,
        result: messages.length,
      });
      const polled = createReplyReader(broker).poll(identifier, drain, { ms: 60_000, signal: gone.signal });
      await sleep(200);
      gone.abort();
      await publish(output(1, 'kept\n'));
      expect(await polled).toBe(0);
      expect(await createReplyReader(broker).poll(identifier, peek)).toEqual([output(1, 'kept\n')]);
      await removeQueue();
    });

    it('lets another widget poll meanwhile, and fails when the queue is deleted', async () => {
      await openQueue();
      const other = await connectTo(test.namespace);
      const waiting = createReplyReader(broker).poll(identifier, peek, { ms: 1000, signal });
      await sleep(100);
      expect(await createReplyReader(other).poll(identifier, peek)).toEqual([]);
      expect(await waiting).toEqual([]);
      const deserted = createReplyReader(broker).poll(identifier, peek, { ms: 1000, signal });
      await sleep(200);
      await removeQueue();
      await expect(deserted).rejects.toBeInstanceOf(ReplyQueueGone);
      await other.close();
    });
  });

  it('refuses a message that would close the channel', async () => {
    await openQueue();
    await expect(publish(output(1, 'x'.repeat(3 * 1024 * 1024)))).rejects.toThrow('too large');
    await publish(output(1, 'the channel is still there\n'));
    await removeQueue();
  });

  it('fails after a timeout while another consumer holds the queue', async () => {
    await openQueue();
    const holder = await broker.openChannel();
    await holder.consume(broker.topology.replyQueue(identifier), () => undefined, { exclusive: true });
    await expect(createReplyReader(broker).poll(identifier, peek)).rejects.toBeInstanceOf(ReplyQueueBusy);
    await holder.close();
    await expect(createReplyReader(broker).poll(identifier, peek)).resolves.toEqual([]);
    await removeQueue();
  });

  it('shows a message of another version, or an invalid one, as undefined', async () => {
    await openQueue();
    const queue = broker.topology.replyQueue(identifier);
    channel.sendToQueue(queue, Buffer.from('{"version":99,"kind":"output"}'));
    channel.sendToQueue(queue, Buffer.from([0xff, 0x00]));
    await publish(output(1, 'good\n'));
    const seen = await createReplyReader(broker).poll(identifier, peek);
    expect(seen).toEqual([undefined, undefined, output(1, 'good\n')]);
    await removeQueue();
  });

  it('of a missing queue fails, and so does a publisher', async () => {
    await expect(createReplyReader(broker).poll(uuid(), peek)).rejects.toBeInstanceOf(ReplyQueueGone);
    await openQueue();
    await removeQueue();
    await expect(publish(output(1, 'lost\n'))).rejects.toBeInstanceOf(ReplyQueueGone);
  });

  it('keeps the queue alive: it expires without polls', async () => {
    const short = await connectTestBroker({ REPLY_EXPIRY_MS: 1000 });
    const own = await short.broker.openConfirmChannel();
    const id = uuid();
    await short.broker.topology.declareReplyQueue(own, id);
    const reader = createReplyReader(short.broker);
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 600));
      await expect(reader.poll(id, peek)).resolves.toEqual([]);
    }
    await new Promise((resolve) => setTimeout(resolve, 1600));
    await expect(reader.poll(id, peek)).rejects.toBeInstanceOf(ReplyQueueGone);
    await short.end();
  });
});
