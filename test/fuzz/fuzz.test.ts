/**
 * Sends random inputs to every route of a widget and to both ends of the broker's queues. Each input must get a
 * valid answer, and nothing may be left afterwards.
 * FUZZ_INPUTS sets the number of inputs; FUZZ_SEED repeats a run.
 */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { decodeTaskMessage } from '@code-widgets/protocol';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Broker } from '@code-widgets/broker';
import { v4 as uuid } from 'uuid';

import type { FuzzedProcess, FuzzResult } from './lib/fuzz-table.js';
import { messagesIn } from '../helpers/broker.js';
import { submit } from '../helpers/client.js';
import { isRunning, stop } from '../helpers/deployment.js';
import { eventually } from '../helpers/eventually.js';
import { checkAnswer, type Route } from './lib/answers.js';
import { bytesOf } from './lib/edits.js';
import { IDENTIFIER, replyInputs, saysFailure, taskInputs, type ReplyInput, type TaskInput } from './lib/messages.js';
import { checkRaw, rawInputs } from './lib/raw.js';
import { downloads, LIVE, others, polls, runs, type Input } from './lib/requests.js';
import { heldBy } from './lib/resources.js';
import { INPUTS, timeLimitMs } from './lib/run.js';
import { EXPIRY_MS, openWorld, type World } from './lib/world.js';

/** Limit for the growth of a process, whose memory also depends on its last inputs. */
const GROWTH_MIB = 40;
/** Time for connections, channels and queues to close. */
const SETTLE_MS = 20_000;
const TASK_END_MS = 60_000;
/**
 * Expected errors: dead-lettered messages, and a broker that is slow on a loaded machine, for which the answer
 * is 503.
 */
const EXPECTED_ERRORS = [
  'a message that no worker understands was dead-lettered',
  'task given up: it was lost with each worker that took it',
  'the broker is out of reach',
];
jest.setTimeout(timeLimitMs);

let opened: Promise<World> | undefined;
/** Opened by the first test, since concurrent tests may start before a beforeAll hook has finished. */
const theWorld = () => (opened ??= openWorld());
const begin = performance.now();
let processes: readonly FuzzedProcess[] = [];

beforeAll(async () => void (await theWorld()), 60_000);
afterAll(async () => {
  const { run, close } = await theWorld();
  const result: FuzzResult = { ms: performance.now() - begin, routes: run.results(), processes };
  if (process.env.FUZZ_FILE) writeFileSync(process.env.FUZZ_FILE, JSON.stringify(result));
  await close();
}, 60_000);

describe('the answer matches its schema for any input to', () => {
  it.concurrent('POST /run_program/', async () => {
    const { run, accepted, empty } = await theWorld();
    let refused = 0;
    await run.fuzz('run', 4, runs, async (input) => {
      const { status, body } = await send('run', input);
      if (status === 200) accepted.push((JSON.parse(body.toString()) as { identifier: string }).identifier);
      // Empties the queue now and then, so that some requests are always accepted.
      if (status === 503 && ++refused % 20 === 0) await empty();
      return String(status);
    });
  });

  it.concurrent('POST /check_output/', async () => {
    const { run, accepted } = await theWorld();
    await run.fuzz('poll', 4, polls, async (input) => {
      const answer = await send('poll', { ...input, body: input.body.replace(LIVE, accepted.at(-1) ?? uuid()) });
      return String(answer.status);
    });
  });

  it.concurrent('POST /download/', async () => {
    const { run } = await theWorld();
    await run.fuzz('download', 4, downloads, async (input) => String((await send('download', input)).status));
  });

  it.concurrent('any path, by any method', async () => {
    const { run } = await theWorld();
    await run.fuzz('other', 2, others, async (input) => String((await send('other', input)).status));
  });

  it.concurrent('the raw socket', async () => {
    const { run, frontPort } = await theWorld();
    await run.fuzz('raw', 8, rawInputs, async (bytes) => (await checkRaw(frontPort, bytes)).join('+') || 'none');
  });
});

const poll = (body: { identifier: string; read?: number }): Input => ({
  method: 'POST',
  path: '/check_output/',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

async function send(route: Route, input: Input) {
  const { frontClient } = await theWorld();
  const answer = await frontClient.send(input);
  checkAnswer(route, input.method, answer);
  return answer;
}

describe('any message is handled', () => {
  it.concurrent('in the task queue', async () => {
    const { run } = await theWorld();
    await run.fuzz('task', 2, taskInputs, endOfTask);
  });

  it.concurrent('in a reply queue', async () => {
    const { run } = await theWorld();
    await run.fuzz('reply', 2, replyInputs, answersOf);
  });
});

/** Publishes a task and waits for its expected end. */
async function endOfTask({ body, headers, isAwaited }: TaskInput): Promise<string> {
  const { broker, channel, replies, backClient } = await theWorld();
  const identifier = uuid();
  const content = bytesOf(body.replaceAll(IDENTIFIER, identifier));
  const kind = decodeTaskMessage(content);
  const isOpen = isAwaited || kind === 'newer';
  if (isOpen) await broker.topology.declareReplyQueue(channel, identifier);
  const { taskExchange, taskRoutingKey } = broker.topology;
  await new Promise<void>((resolve, reject) => {
    const options = { messageId: identifier, persistent: true, headers };
    channel.publish(taskExchange, taskRoutingKey, content, options, (error: Error | null) =>
      error ? reject(error) : resolve(),
    );
  });
  if (!isOpen) return 'not awaited';
  const findEnd = async () => {
    const found = await replies.poll(identifier, (messages) => ({ remove: [], result: messages }));
    return found.find((message) => message?.kind === 'final');
  };
  let end = await findEnd();
  let isReturned = false;
  const hasEnded = async () =>
    (end ??= await findEnd()) !== undefined ||
    (isReturned = kind === 'newer' && (await hasAttemptLog(broker, identifier)));
  await eventually('a task has ended', hasEnded, { limitMs: TASK_END_MS, everyMs: 20 });
  const answer = await backClient.send(poll({ identifier, read: 0 }));
  await channel.deleteQueue(broker.topology.replyQueue(identifier));
  if (isReturned) return 'left to a later version';
  const hasFailed = end?.state === 'FAILURE';
  expect(answer.status).toBe(hasFailed ? 500 : 200);
  if (typeof kind !== 'object') expect(hasFailed).toBe(true);
  if (!hasFailed) checkAnswer('poll', 'POST', answer);
  if (typeof kind !== 'object') return 'set aside';
  return hasFailed ? 'given up' : 'done';
}

/** Whether a worker has recorded an attempt of the task. */
async function hasAttemptLog(broker: Broker, identifier: string): Promise<boolean> {
  const channel = await broker.openChannel();
  // A missing queue closes the channel.
  return channel.checkQueue(broker.topology.attemptLog(identifier)).then(
    () => channel.close().then(() => true),
    () => false,
  );
}

/** Publishes messages to a reply queue and polls it as clients do. */
async function answersOf({ bodies, reads }: ReplyInput): Promise<string> {
  const { broker, channel, backClient } = await theWorld();
  const identifier = uuid();
  await broker.topology.declareReplyQueue(channel, identifier);
  for (const body of bodies)
    channel.publish(broker.topology.replyExchange, identifier, bytesOf(body), { persistent: true });
  await channel.waitForConfirms();
  const statuses = new Set<number>();
  for (const read of reads) {
    const answer = await backClient.send(poll({ identifier, ...(read !== null && { read }) }));
    if (answer.status !== 500 || !saysFailure(bodies)) checkAnswer('poll', 'POST', answer);
    statuses.add(answer.status);
  }
  await channel.deleteQueue(broker.topology.replyQueue(identifier));
  return [...statuses].join(' and ');
}

describe('after all inputs', () => {
  it('no process has restarted or logged an unexpected error', async () => {
    const { front, back } = await theWorld();
    const children = [...front.widgets, ...back.widgets].map((each) => each.process).concat(back.workers);
    expect(children.filter((child) => !isRunning(child))).toEqual([]);
    const faults = [...front.log(), ...back.log()].filter(
      ({ level, text, msg, err }) =>
        text !== undefined ||
        (Number(level) >= 50 &&
          !EXPECTED_ERRORS.includes(String(msg)) &&
          (err as { type?: string } | undefined)?.type !== 'TaskFailed'),
    );
    expect(faults.slice(0, 3)).toEqual([]);
  });

  it('no more connections, channels or files are open than before', async () => {
    const { frontClient, backClient, frontWatch, backWatch, watched } = await theWorld();
    frontClient.close();
    backClient.close();
    // A widget uses one channel for its publications, a worker uses one channel for everything.
    await eventually(
      'the channels are closed',
      () => frontWatch.open().channels <= 1 && backWatch.open().channels <= 2,
      { limitMs: SETTLE_MS },
    );
    expect([frontWatch.open().connections, backWatch.open().connections]).toEqual([1, 2]);
    expect(frontWatch.most()).toBeLessThanOrEqual(64 + 2);
    const more = () =>
      watched.filter(({ pid, atFirst }) => heldBy(pid).files > atFirst.files + 1).map(({ name }) => name);
    await eventually('files are closed', () => more().length === 0, { limitMs: SETTLE_MS }).catch(() =>
      expect(more()).toEqual([]),
    );
  });

  it('memory has not grown since the warm-up', async () => {
    processes = (await theWorld()).processes();
    const grown = processes.filter(({ mebibytes: [before, after] }) => !(after <= before + GROWTH_MIB));
    // A few inputs prove nothing.
    if (INPUTS >= 1000) expect(grown).toEqual([]);
  });

  it('only tasks of a later version wait', async () => {
    const { back, run, broker } = await theWorld();
    const later = run.results().find(({ name }) => name === 'task')?.outcomes['left to a later version'] ?? 0;
    await eventually('the tasks are taken', async () => (await messagesIn(broker.topology.taskQueue)) <= later, {
      limitMs: SETTLE_MS,
    });
    // A worker requeues the tasks that it still holds when it ends.
    for (const worker of back.workers) expect(await stop(worker)).toBe(0);
    expect(await messagesIn(broker.topology.taskQueue)).toBeLessThanOrEqual(later);
  });

  it('unpolled replies have expired', async () => {
    const { accepted, empty, front, frontClient } = await theWorld();
    await empty();
    let kept = [...accepted.slice(-200), await submit(front.base, { mode: 'compile', files: [] })];
    // A poll renews the expiry.
    for (let tries = 1; tries <= 3 && kept.length > 0; tries++) {
      await sleep(EXPIRY_MS * 1.2);
      const statuses = await Promise.all(
        kept.map(async (identifier) => (await frontClient.send(poll({ identifier }))).status),
      );
      kept = kept.filter((_, i) => statuses[i] !== 404);
    }
    expect(kept).toEqual([]);
  });
});
