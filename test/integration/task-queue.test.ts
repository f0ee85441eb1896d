import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  BrokerUnavailable,
  consumeTasks,
  createReplyReader,
  connectBroker,
  createTaskPublisher,
  TaskQueueFull,
  type TaskConsumer,
  type TaskDelivery,
  type TaskOutcome,
} from '@code-widgets/broker';
import type { TaskMessage } from '@code-widgets/protocol';
import { v4 as uuid } from 'uuid';

import { connectTestBroker, connectTo, type TestBroker } from '../helpers/broker.js';
import { eventually } from '../helpers/eventually.js';

const WAITING_TASKS = 5;
const LOST: TaskOutcome = { requeue: true, countsAsAttempt: true };
const RETURNED: TaskOutcome = { requeue: true, countsAsAttempt: false };

function task(): TaskMessage {
  const request = { files: [{ basename: 'a.adb', contents: '' }], mode: 'compile' as const };
  return { version: 1, identifier: uuid(), submittedAt: Date.now(), request };
}

let test: TestBroker;
let consumers: TaskConsumer[];
let submitted: string[];

beforeEach(async () => {
  test = await connectTestBroker({ WAITING_TASKS });
  [consumers, submitted] = [[], []];
});
afterEach(async () => {
  for (const consumer of consumers) await consumer.close(0);
  const channel = await test.broker.openChannel();
  for (const identifier of submitted) await channel.deleteQueue(test.broker.topology.replyQueue(identifier));
  await test.end();
});

async function submit(): Promise<string> {
  const one = task();
  submitted.push(one.identifier);
  await createTaskPublisher(test.broker).submit(one);
  return one.identifier;
}

/** Consumes with `handle`; `next()` resolves with the next delivery. */
function consume(
  handle: (delivery: TaskDelivery) => Promise<TaskOutcome>,
  concurrency = 1,
  broker = test.broker,
): TaskConsumer {
  const consumer = consumeTasks({ broker, concurrency, handle });
  consumers.push(consumer);
  return consumer;
}

const depth = async (queue: string) => {
  const channel = await test.broker.openChannel();
  const { messageCount } = await channel.checkQueue(queue);
  await channel.close();
  return messageCount;
};

describe('the task queue', () => {
  it('delivers each task to one worker, up to the number of its slots', async () => {
    const seen: string[] = [];
    let [running, most] = [0, 0];
    for (let i = 0; i < WAITING_TASKS; i++) await submit();
    consume(async ({ task: { identifier } }) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 100));
      running--;
      seen.push(identifier);
      return 'done';
    }, 2);
    await eventually('all tasks are done', () => seen.length === WAITING_TASKS);
    expect([...seen].sort()).toEqual([...submitted].sort());
    expect(most).toBe(2);
    await eventually('the task queue is empty', async () => (await depth(test.broker.topology.taskQueue)) === 0);
  });

  it('refuses a task at its limit, reports its load, and declares no reply queue for it', async () => {
    const publisher = createTaskPublisher(test.broker);
    const tasks = Array.from({ length: WAITING_TASKS + 10 }, task);
    submitted = tasks.map(({ identifier }) => identifier);
    const results = await Promise.allSettled(tasks.map((each) => publisher.submit(each)));
    const refused = results.flatMap((result, i) =>
      result.status === 'rejected' ? [{ reason: result.reason as unknown, i }] : [],
    );
    expect(refused).toHaveLength(10);
    for (const { reason } of refused) expect(reason).toBeInstanceOf(TaskQueueFull);
    expect(await publisher.load()).toEqual({ waiting: WAITING_TASKS, slots: 0 });
    for (const { i } of refused) {
      await expect(depth(test.broker.topology.replyQueue(submitted[i] as string))).rejects.toThrow('NOT_FOUND');
    }
  });

  it('keeps to its limit while a count and a confirm overlap', async () => {
    const publisher = createTaskPublisher(test.broker);
    const channel = await test.broker.openChannel();
    const late = async (each: TaskMessage, ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      await publisher.submit(each);
    };
    for (let round = 0; round < 40; round++) {
      const tasks = Array.from({ length: 3 * WAITING_TASKS }, task);
      submitted.push(...tasks.map(({ identifier }) => identifier));
      const results = await Promise.allSettled(tasks.map((each, i) => late(each, (i * round) / 20)));
      expect(results.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(WAITING_TASKS);
      expect((await channel.purgeQueue(test.broker.topology.taskQueue)).messageCount).toBeGreaterThan(0);
    }
  }, 60_000);

  it('is also limited by the broker', async () => {
    const channel = await test.broker.openConfirmChannel();
    const { taskExchange, taskRoutingKey } = test.broker.topology;
    const publish = () =>
      new Promise<boolean>((resolve) => {
        channel.publish(taskExchange, taskRoutingKey, Buffer.from('x'), {}, (error: unknown) => resolve(!error));
      });
    let taken = 0;
    while ((await publish()) && taken < 200) taken++;
    expect(taken).toBeGreaterThanOrEqual(WAITING_TASKS);
    expect(taken).toBeLessThan(200);
  });

  it('redelivers a requeued task as the next attempt', async () => {
    const attempts: number[] = [];
    await submit();
    consume(({ attempt }) => {
      attempts.push(attempt);
      return Promise.resolve(attempt < 3 ? LOST : 'done');
    });
    await eventually('three attempts have begun', () => attempts.length === 3);
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('dead-letters a task after its last attempt', async () => {
    await submit();
    consume(() => Promise.resolve('dead-letter'));
    await eventually('the task is dead-lettered', async () => (await depth(`${test.namespace}.dead`)) === 1);
  });

  /** Publishes a body as another version would, with an existing reply queue. */
  async function submitRaw(body: object): Promise<string> {
    const identifier = uuid();
    submitted.push(identifier);
    const channel = await test.broker.openConfirmChannel();
    await test.broker.topology.declareReplyQueue(channel, identifier);
    channel.sendToQueue(test.broker.topology.taskQueue, Buffer.from(JSON.stringify(body)), {
      messageId: identifier,
      persistent: true,
    });
    await channel.waitForConfirms();
    return identifier;
  }
  const repliesOf = (identifier: string) =>
    createReplyReader(test.broker).poll(identifier, (messages) => ({ remove: [], result: messages }));

  it('dead-letters a message that is not a task, and its polls get an error', async () => {
    const identifier = await submitRaw({ version: 1 });
    let handled = 0;
    consume(() => {
      handled++;
      return Promise.resolve('done');
    });
    await eventually('the task is dead-lettered', async () => (await depth(`${test.namespace}.dead`)) === 1);
    expect(handled).toBe(0);
    expect(await repliesOf(identifier)).toMatchObject([{ kind: 'final', state: 'FAILURE' }]);
  });

  /** Delivers the task that often to a consumer that requeues it at once, without a start. */
  async function deliverAndRequeue(times: number): Promise<void> {
    const channel = await test.broker.openChannel();
    for (let count = 0; count < times;) {
      const message = await channel.get(test.broker.topology.taskQueue);
      if (message === false) continue;
      channel.reject(message, true);
      count++;
    }
    await channel.close();
  }

  it('dead-letters a task of a later version after ten deliveries', async () => {
    const identifier = await submitRaw({ version: 2, identifier: 'elsewhere' });
    await deliverAndRequeue(10);
    consume(() => Promise.resolve('done'));
    await eventually('the task is dead-lettered', async () => (await depth(test.broker.topology.deadQueue)) === 1);
    expect(await repliesOf(identifier)).toMatchObject([{ kind: 'final', state: 'FAILURE' }]);
  });

  it('leaves a task of a later version to a worker of that version', async () => {
    const identifier = await submitRaw({ version: 2, identifier: 'elsewhere' });
    let handled = 0;
    const older = consume(() => {
      handled++;
      return Promise.resolve('done');
    });
    await eventually('the task queue is empty', async () => (await depth(test.broker.topology.taskQueue)) === 0);
    await older.close(0);
    expect(handled).toBe(0);
    expect(await repliesOf(identifier)).toEqual([]);
    // A quorum queue counts a requeued message a moment later.
    await eventually('the task is back in the queue', async () => (await depth(test.broker.topology.taskQueue)) === 1);
    expect(await depth(`${test.namespace}.dead`)).toBe(0);
  }, 20_000);

  it('counts one attempt when a worker dies, whatever the number of its slots', async () => {
    const attempts: number[] = [];
    const remember = ({ attempt, signal }: TaskDelivery) => {
      attempts.push(attempt);
      return new Promise<TaskOutcome>((resolve) => signal.addEventListener('abort', () => resolve(LOST)));
    };
    await submit();
    for (let expected = 1; expected <= 3; expected++) {
      const dying = await connectTo(test.namespace, { WAITING_TASKS });
      consume(remember, 8, dying);
      await eventually(`attempt ${expected} has begun`, () => attempts.length === expected);
      await dying.close();
    }
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('redelivers the tasks of a lost connection, and notifies the first worker', async () => {
    const attempts: number[] = [];
    const first = await connectTo(test.namespace, { WAITING_TASKS });
    let aborted = false;
    await submit();
    const lost = consumeTasks({
      broker: first,
      concurrency: 1,
      handle: ({ signal, attempt }) =>
        new Promise((resolve) => {
          attempts.push(attempt);
          signal.addEventListener('abort', () => {
            aborted = true;
            resolve('done');
          });
        }),
    });
    await eventually('the first attempt has begun', () => attempts.length === 1);
    await first.close();
    consume(({ attempt }) => {
      attempts.push(attempt);
      return Promise.resolve('done');
    });
    await eventually('the second attempt has begun', () => attempts.length === 2);
    expect(attempts).toEqual([1, 2]);
    expect(aborted).toBe(true);
    await lost.close(0);
  });

  it('requeues unfinished tasks of a worker that is told to stop', async () => {
    const done: string[] = [];
    await submit();
    let started = 0;
    const slow = consume(({ signal }) => {
      started++;
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(LOST)));
    });
    await eventually('the task has begun', () => started === 1);
    await slow.close(100);
    await submit();
    consume(({ task: { identifier } }) => {
      done.push(identifier);
      return Promise.resolve('done');
    });
    await eventually('both tasks are done', () => done.length === 2);
    expect([...done].sort()).toEqual([...submitted].sort());
  });

  it('gives up after three lost attempts, not counting tasks that a stopping worker requeued', async () => {
    const seen: [attempt: number, isGivenUp: boolean][] = [];
    const keep = ({ attempt, isGivenUp, signal }: TaskDelivery) => {
      seen.push([attempt, isGivenUp]);
      return new Promise<TaskOutcome>((resolve) => signal.addEventListener('abort', () => resolve(LOST)));
    };
    await submit();
    for (const end of ['stop', 'die', 'stop', 'die', 'stop', 'die'] as const) {
      const before = seen.length;
      const broker = await connectTo(test.namespace, { WAITING_TASKS });
      const worker = consumeTasks({ broker, concurrency: 1, handle: keep });
      await eventually('another attempt has begun', () => seen.length > before);
      if (end === 'stop') await worker.close(0);
      await broker.close();
      await worker.close(0);
    }
    consume(keep);
    await eventually('the last attempt has begun', () => seen.length === 7);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7].map((attempt) => [attempt, attempt === 7]));
  }, 30_000);

  it('counts only the first of several deliveries that never started', async () => {
    await submit();
    // As after a few network outages: the broker delivers a task from one dead connection to the next.
    for (let i = 0; i < 15; i++) {
      const broker = await connectTo(test.namespace, { WAITING_TASKS });
      const channel = await broker.openChannel();
      await new Promise((resolve) => void channel.consume(test.broker.topology.taskQueue, resolve));
      await broker.close();
    }
    const seen: [attempt: number, isGivenUp: boolean][] = [];
    consume(({ attempt, isGivenUp }) => {
      seen.push([attempt, isGivenUp]);
      return Promise.resolve('done');
    });
    await eventually('the task is delivered', () => seen.length === 1);
    expect(seen).toEqual([[16, false]]);
  });

  it('ends a task after a hundred deliveries, before the broker drops it', async () => {
    await submit();
    await deliverAndRequeue(100);
    const seen: [attempt: number, isGivenUp: boolean][] = [];
    consume(({ attempt, isGivenUp }) => {
      seen.push([attempt, isGivenUp]);
      return Promise.resolve('done');
    });
    await eventually('the task is delivered', () => seen.length === 1);
    expect(seen).toEqual([[101, true]]);
  });

  it('dead-letters a task after ten starts, whatever the reasons', async () => {
    await submit();
    const seen: boolean[] = [];
    consume(({ isGivenUp }) => {
      seen.push(isGivenUp);
      return Promise.resolve(isGivenUp ? 'dead-letter' : RETURNED);
    });
    await eventually('the task is dead-lettered', async () => (await depth(test.broker.topology.deadQueue)) === 1);
    expect(seen).toEqual([...Array<boolean>(10).fill(false), true]);
  });

  it('redelivers a task whose reply queue is gone', async () => {
    const identifier = await submit();
    const channel = await test.broker.openChannel();
    await channel.deleteQueue(test.broker.topology.replyQueue(identifier));
    const attempts: number[] = [];
    consume(({ attempt }) => {
      attempts.push(attempt);
      return Promise.resolve(attempt === 2 ? 'done' : LOST);
    });
    await eventually(
      'the task is done',
      async () => attempts.length > 1 && (await depth(test.broker.topology.taskQueue)) === 0,
    );
    expect(attempts).toEqual([1, 2]);
  });

  it('does not blame a task that ran beside the one that killed the worker', async () => {
    const [killer, innocent] = [await submit(), await submit()];
    const ends: Record<string, TaskOutcome> = {};
    for (let round = 1; round <= 6 && Object.keys(ends).length < 2; round++) {
      const broker = await connectTo(test.namespace, { WAITING_TASKS });
      let dead = false;
      const handle = async ({ task: { identifier }, isGivenUp }: TaskDelivery): Promise<TaskOutcome> => {
        if (isGivenUp) return (ends[identifier] = 'dead-letter');
        if (identifier === killer) {
          await new Promise((resolve) => setTimeout(resolve, 200));
          dead = true;
          await broker.close();
          return LOST;
        }
        await new Promise((resolve) => setTimeout(resolve, 400));
        return dead ? LOST : (ends[identifier] = 'done');
      };
      const worker = consumeTasks({ broker, concurrency: 2, handle });
      await eventually('the worker is dead or both tasks have ended', () => dead || Object.keys(ends).length === 2);
      await worker.close(1000);
      await broker.close();
    }
    expect(ends).toEqual({ [killer]: 'dead-letter', [innocent]: 'done' });
  }, 30_000);

  it('lets a stopping worker finish its task', async () => {
    let finished = false;
    await submit();
    let started = false;
    const worker = consume(async () => {
      started = true;
      await new Promise((resolve) => setTimeout(resolve, 500));
      finished = true;
      return 'done';
    });
    await eventually('the task has begun', () => started);
    await worker.close(10_000);
    expect(finished).toBe(true);
    expect(await depth(test.broker.topology.taskQueue)).toBe(0);
  });
});

describe('without a broker', () => {
  it('refuses a task within 5 seconds', async () => {
    const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const settings = { AMQP_URL: 'amqp://127.0.0.1:9', NAMESPACE: 'nowhere', WAITING_TASKS, REPLY_EXPIRY_MS: 1000 };
    const nowhere = await connectBroker(settings, quiet);
    const before = Date.now();
    await expect(createTaskPublisher(nowhere).submit(task())).rejects.toBeInstanceOf(BrokerUnavailable);
    expect(Date.now() - before).toBeLessThan(5000);
    await nowhere.close();
  });
});
