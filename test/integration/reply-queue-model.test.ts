/**
 * Compares a reply queue with a model of what its client may see, under lost workers and lost answers.
 * MODEL_RUNS sets the number of runs. MODEL_SEED repeats a failed run, whose message contains its seed.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createReplyReader, ReplyQueueGone } from '@code-widgets/broker';
import type { CheckOutputAnswer, FinalMessage, ReplyMessage } from '@code-widgets/protocol';
import type { ConfirmChannel } from 'amqplib';
import fc from 'fast-check';
import { v4 as uuid } from 'uuid';

import { appWith, closeApps, post } from '../../apps/widget/test/app-with.js';
import { replyPublishers, type ReplyPublishers } from '../../packages/broker/src/reply-publisher.js';
import { connectTestBroker, connectTo, type TestBroker } from '../helpers/broker.js';
import {
  answerOf,
  begin,
  canJudge,
  checkImpossible,
  explain,
  impossibleRead,
  polled,
  received,
  said,
  textOf,
  type Answer,
  type Shown,
  type Task,
} from './reply-queue-model.js';

const RUNS = Number(process.env.MODEL_RUNS ?? 120);
const SEED = process.env.MODEL_SEED;
const RUN_MS = 2_000;

/** Fast-check's model: the state that commands replace. */
interface Model {
  task: Task;
}

/** The real queue of one task, with its workers and its client's widgets. */
interface Real {
  publish(message: ReplyMessage): Promise<void>;
  publishUnreadable(): Promise<void>;
  poll(replica: number, read: number | undefined): Promise<Answer>;
  remove(): Promise<void>;
}

type Command = fc.AsyncCommand<Model, Real>;

let test: TestBroker;
let channel: ConfirmChannel;
let publishers: ReplyPublishers;
let open: (identifier: string) => Promise<Real>;
let closeOther = () => Promise.resolve();

beforeAll(async () => {
  test = await connectTestBroker();
  const { broker } = test;
  const other = await connectTo(test.namespace);
  channel = await broker.openConfirmChannel();
  publishers = replyPublishers(channel, broker);
  const replicas = await Promise.all([broker, other].map((each) => appWith({ replies: createReplyReader(each) })));
  closeOther = () => other.close();
  open = async (identifier) => {
    const queue = broker.topology.replyQueue(identifier);
    await broker.topology.declareReplyQueue(channel, identifier);
    return {
      publish: (message) => publishers.to(identifier).publish(message),
      async publishUnreadable() {
        channel.sendToQueue(queue, Buffer.from('{"version":99,"kind":"output"}'));
        await channel.waitForConfirms();
      },
      async poll(replica, read) {
        const { app } = replicas[replica] as (typeof replicas)[0];
        const answer = await post(app, '/check_output/', { identifier, ...(read !== undefined && { read }) });
        return shownBy(answer.statusCode, answer.json());
      },
      remove: async () => void (await channel.deleteQueue(queue)),
    };
  };
});
afterAll(async () => {
  await closeApps();
  await closeOther();
  await test.end();
});

/** The notice of a restart is the only item on stderr. */
function shownBy(status: number, { output, completed, status: exit }: CheckOutputAnswer): Answer {
  if (status !== 200) return status;
  return {
    output: output.map((item) => (item.msg.type === 'stderr' ? 'restart' : textOf(item))),
    completed,
    status: exit,
  };
}

const readOf = ({ client }: Task) => (client.sendsRead ? client.received : undefined);

/** Output messages of the current attempt, with these numbers of items. */
function outputs(task: Task, counts: readonly number[]): ReplyMessage[] {
  const { attempt, sent } = task;
  let next = (sent.get(attempt)?.length ?? 0) + 1;
  return counts.map((count) => {
    const first = next;
    const items = Array.from({ length: count }, () => ({
      msg: { type: 'stdout' as const, data: `${attempt}:${next++}` },
    }));
    return { version: 1, kind: 'output', attempt, first, items };
  });
}

/** Updates the model after an answer. A client without `read` loses the items of a lost answer. */
function take(task: Task, shown: Shown, isLost: boolean): Task {
  const after = polled(task);
  return isLost && task.client.sendsRead ? after : received(after, shown);
}

async function publish(model: Model, real: Real, message: ReplyMessage): Promise<void> {
  if (model.task.isGone) await expect(real.publish(message)).rejects.toBeInstanceOf(ReplyQueueGone);
  else await real.publish(message);
  model.task = said(model.task, message);
}

const command = (name: string, run: Command['run'], check: (task: Task) => boolean = () => true): Command => ({
  check: ({ task }) => check(task),
  run,
  toString: () => name,
});

const publishes = (counts: readonly number[]) =>
  command(
    `publish ${counts.join('+')}`,
    async (model, real) => {
      for (const message of outputs(model.task, counts)) await publish(model, real, message);
    },
    ({ hasEnded }) => !hasEnded,
  );

const ends = (state: FinalMessage['state'], status: number) =>
  command(
    `end ${state} ${status}`,
    async (model, real) => {
      const { attempt, sent } = model.task;
      const items = sent.get(attempt)?.length ?? 0;
      await publish(model, real, { version: 1, kind: 'final', attempt, items, state, status, workMs: 1 });
    },
    ({ hasEnded }) => !hasEnded,
  );

/** May follow the final message: a worker can die before it acknowledges the task. */
const loses = command('lose the worker', (model) => Promise.resolve(void (model.task = begin(model.task))));

const polls = (replica: number, isLost: boolean) =>
  command(`poll replica ${replica}${isLost ? ', answer lost' : ''}`, async (model, real) => {
    const answer = await real.poll(replica, readOf(model.task));
    model.task = take(model.task, answerOf(model.task, answer), isLost);
  });

/** The poll changes nothing. */
const pollsImpossibly = (replica: number, excess: number) =>
  command(
    `poll replica ${replica} with a read that is ${excess + 1} too large`,
    async ({ task }, real) => checkImpossible(task, await real.poll(replica, impossibleRead(task) + excess)),
    (task) => task.client.sendsRead && canJudge(task),
  );

/** A client repeats its poll before the first answer, while a worker continues. */
const pollsAtOnce = (counts: readonly number[], isLost: boolean) =>
  command(
    `poll both replicas, publish ${counts.join('+') || 'nothing'}${isLost ? ', answers lost' : ''}`,
    async (model, real) => {
      const read = readOf(model.task);
      const words = outputs(model.task, counts);
      const publishing = async () => {
        for (const message of words) await real.publish(message);
      };
      const [one, other] = await Promise.all([real.poll(0, read), real.poll(1, read), publishing()]);
      model.task = explain(model.task, [one, other], words, (task, shown) => take(task, shown, isLost));
    },
    // Not with the first output of an attempt: `read` would have two meanings then.
    ({ hasEnded, isGone, sent, attempt }) => counts.length === 0 || (!hasEnded && !isGone && sent.has(attempt)),
  );

const publishesUnreadable = command(
  'publish a message of another version',
  (_, real) => real.publishUnreadable(),
  ({ isGone }) => !isGone,
);

/** Expiry as by the broker; reply-queue.test.ts waits for the real one. */
const expires = command('expire', async (model, real) => {
  await real.remove();
  model.task = { ...model.task, isGone: true };
});

const counts = (minLength: number) => fc.array(fc.integer({ min: 1, max: 4 }), { minLength, maxLength: 4 });
const several = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => Array.from({ length: weight }, () => arbitrary);
const commands = fc.commands(
  [
    ...several(4, counts(1).map(publishes)),
    ...several(
      5,
      fc.tuple(fc.nat(1), fc.boolean()).map((each) => polls(...each)),
    ),
    ...several(
      2,
      fc.tuple(fc.nat(1), fc.nat(2)).map((each) => pollsImpossibly(...each)),
    ),
    ...several(
      2,
      fc.tuple(counts(0), fc.boolean()).map((each) => pollsAtOnce(...each)),
    ),
    ...several(2, fc.constant(loses)),
    fc.constant(publishesUnreadable),
    fc.tuple(fc.constantFrom('SUCCESS', 'SUCCESS', 'FAILURE'), fc.nat(255)).map((each) => ends(...each)),
    fc.constant(expires),
  ],
  { maxCommands: 40, size: '+1' },
);

it(
  'shows a client each attempt completely and once, and one final message',
  async () => {
    const property = fc.asyncProperty(fc.boolean(), commands, async (sendsRead, each) => {
      const identifier = uuid();
      const real = await open(identifier);
      const setup = { model: { task: newTask(sendsRead) }, real };
      await fc.asyncModelRun(() => setup, each).finally(() => real.remove());
    });
    await fc.assert(property, { numRuns: RUNS, ...(SEED !== undefined && { seed: Number(SEED) }) });
  },
  60_000 + RUNS * RUN_MS,
);

function newTask(sendsRead: boolean): Task {
  const client = { sendsRead, attempt: 1, items: 0, received: 0 };
  return { attempt: 1, sent: new Map(), hasEnded: false, isGone: false, polled: { attempt: 1, confirmed: 0 }, client };
}
