import { describe, expect, it } from '@jest/globals';
import { BrokerUnavailable, ReplyQueueGone } from '@code-widgets/broker';

import { TooManyUnknown, UnknownTasks } from '../src/unknown-tasks.js';

/** A broker that knows identifiers starting with `task`, and records the requested ones in `asked`. */
function brokerWith(now: () => number = () => 0) {
  const unknown = new UnknownTasks(now);
  const asked: string[] = [];
  const poll = (identifier: string, client = 'a') =>
    unknown.poll(identifier, client, async () => {
      asked.push(identifier);
      await Promise.resolve();
      if (!identifier.startsWith('task')) throw new ReplyQueueGone(identifier);
    });
  return { unknown, asked, poll };
}
const many = (count: number, word: string) => Array.from({ length: count }, (_, i) => `${word} ${i}`);

describe('an unknown identifier', () => {
  it('is looked up once', async () => {
    const { poll, asked } = brokerWith();
    for (let i = 0; i < 200; i++) await expect(poll('gone')).rejects.toBeInstanceOf(ReplyQueueGone);
    expect(asked).toEqual(['gone']);
  });

  it('is not counted if it was known and has expired', async () => {
    const { unknown, poll } = brokerWith();
    for (const identifier of many(150, 'expired')) {
      unknown.addKnown(identifier);
      await expect(poll(identifier)).rejects.toBeInstanceOf(ReplyQueueGone);
    }
    await poll('task');
  });

  it('is not remembered if the broker is unreachable', async () => {
    const { unknown, poll } = brokerWith();
    await expect(unknown.poll('task', 'a', () => Promise.reject(new BrokerUnavailable('down')))).rejects.toBeInstanceOf(
      BrokerUnavailable,
    );
    await poll('task');
  });
});

describe('a client that polls unknown identifiers', () => {
  it('is refused after a hundred in a minute, even at once', async () => {
    let now = 0;
    const { poll, asked } = brokerWith(() => now);
    const settled = await Promise.allSettled(many(500, 'guess').map((each) => poll(each)));
    expect(asked).toHaveLength(100);
    const reasons = settled.map((each) => (each as PromiseRejectedResult).reason as Error);
    expect(reasons.filter((reason) => reason instanceof ReplyQueueGone)).toHaveLength(100);
    expect(reasons.filter((reason) => reason instanceof TooManyUnknown)).toHaveLength(400);
    now = 59_000;
    await expect(poll('task')).rejects.toMatchObject({ retryAfterSeconds: 1 });
    now = 60_000;
    await poll('task');
  });

  it('may still poll known tasks, and other clients may poll all tasks', async () => {
    const { unknown, poll } = brokerWith();
    await poll('task 1');
    unknown.addKnown('task 2');
    for (const each of many(120, 'guess')) await poll(each).catch(() => undefined);
    await poll('task 1');
    await poll('task 2');
    await expect(poll('task 3')).rejects.toBeInstanceOf(TooManyUnknown);
    await poll('task 3', 'b');
  });
});

it('concurrent first polls of tasks from another widget are all answered', async () => {
  const { poll } = brokerWith();
  await Promise.all(many(500, 'task').map((each) => poll(each)));
});
