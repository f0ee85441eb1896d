import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createReplyReader, ReplyQueueBusy, ReplyQueueGone, type Broker } from '@code-widgets/broker';
import type { OutputMessage, ReplyMessage } from '@code-widgets/protocol';
import type { ConfirmChannel } from 'amqplib';
import { v4 as uuid } from 'uuid';

import { replyPublishers, type ReplyPublishers } from '../../packages/broker/src/reply-queue.js';
import { connectTestBroker, connectTo, type TestBroker } from '../helpers/broker.js';

const output = (first: number, ...texts: string[]): OutputMessage => ({
  version: 1,
  kind: 'output',
  attempt: 1,
  first,
  items: texts.map((data) => ({ msg: { type: 'stdout', data } })),
});
const peek = (messages: (ReplyMessage | undefined)[]) => ({ remove: [], result: messages });

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
  it('sees all messages in order, and sees what it left again', async () => {
    await openQueue();
    for (let first = 1; first <= 50; first++) await publish(output(first, `line ${first}\n`));
    const reader = createReplyReader(broker);

    const seen = await reader.poll(identifier, peek);
    expect(seen.map((message) => (message as OutputMessage).first)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    await reader.poll(identifier, (messages) => ({ remove: [0, 1], append: output(51, 'appended\n'), result: messages }));
    const left = await reader.poll(identifier, peek);
    expect(left.map((message) => (message as OutputMessage).first)).toEqual(Array.from({ length: 49 }, (_, i) => i + 3));
    await removeQueue();
  });

  it('is alone with the queue: polls at the same time see it whole, one after the other', async () => {
    await openQueue();
    for (let first = 1; first <= 20; first++) await publish(output(first, 'x\n'));
    const other = await connectTo(test.namespace);
    const readers = [createReplyReader(broker), createReplyReader(other)];

    const counts = await Promise.all(
      Array.from({ length: 8 }, (_, i) => (readers[i % 2] as (typeof readers)[0]).poll(identifier, (m) => ({ remove: [], result: m.length }))),
    );
    expect(counts).toEqual(Array(8).fill(20));
    await other.close();
    await removeQueue();
  });

  it('sees a backlog whole, however long it is', async () => {
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

  it('of a crowd of them is refused or answered whole, and leaves other tasks alone', async () => {
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

  it('refuses a message that would cost the channel', async () => {
    await openQueue();
    await expect(publish(output(1, 'x'.repeat(13 * 1024 * 1024)))).rejects.toThrow('too large');
    await publish(output(1, 'the channel is still there\n'));
    await removeQueue();
  });

  it('gives up after a bound while another holds the queue', async () => {
    await openQueue();
    const holder = await broker.openChannel();
    await holder.consume(broker.topology.replyQueue(identifier), () => undefined, { exclusive: true });
    await expect(createReplyReader(broker).poll(identifier, peek)).rejects.toBeInstanceOf(ReplyQueueBusy);
    await holder.close();
    await expect(createReplyReader(broker).poll(identifier, peek)).resolves.toEqual([]);
    await removeQueue();
  });

  it('shows a message of another version, or none at all, as undefined', async () => {
    await openQueue();
    const queue = broker.topology.replyQueue(identifier);
    channel.sendToQueue(queue, Buffer.from('{"version":99,"kind":"output"}'));
    channel.sendToQueue(queue, Buffer.from([0xff, 0x00]));
    await publish(output(1, 'good\n'));
    const seen = await createReplyReader(broker).poll(identifier, peek);
    expect(seen).toEqual([undefined, undefined, output(1, 'good\n')]);
    await removeQueue();
  });

  it('of a queue that is not there is told so, and so is a publisher', async () => {
    await expect(createReplyReader(broker).poll(uuid(), peek)).rejects.toBeInstanceOf(ReplyQueueGone);
    await openQueue();
    await removeQueue();
    await expect(publish(output(1, 'lost\n'))).rejects.toBeInstanceOf(ReplyQueueGone);
  });

  it('ends with the queue, which expires when nobody polls it', async () => {
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
