/** The operator's dead-letter command and its functions, with the run's real broker. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  consumeTasks,
  createReplyReader,
  createTaskPublisher,
  replayTask,
  visitDeadLetters,
  type DeadLetter,
  type TaskDelivery,
} from '@code-widgets/broker';
import { encodeMessage, type TaskMessage } from '@code-widgets/protocol';
import { v4 as uuid } from 'uuid';

import { connectTestBroker, connectTo, messagesIn, type TestBroker } from '../helpers/broker.js';
import { environment } from '../helpers/environment.js';

const HELLO = 'procedure Hello is\nbegin\n   null;\nend Hello;\n';
const WAITING_TASKS = 3;
/** Each run of the command starts Node and compiles the sources. */
jest.setTimeout(60_000);

const root = fileURLToPath(new URL('../..', import.meta.url));

let test: TestBroker;
let opened: string[];

beforeEach(async () => {
  test = await connectTestBroker({ WAITING_TASKS });
  await test.broker.ready();
  opened = [];
});
afterEach(async () => {
  const channel = await test.broker.openChannel();
  for (const identifier of opened) await channel.deleteQueue(test.broker.topology.replyQueue(identifier));
  await test.end();
});

function taskOf(contents = HELLO): TaskMessage {
  const request = {
    files: [{ basename: 'hello.adb', contents }],
    mode: 'run' as const,
    main: 'hello.adb',
    name: 'Demo',
  };
  return { version: 1, identifier: uuid(), submittedAt: Date.UTC(2026, 0, 2), request };
}

/** Publishes to the task queue and has a consumer reject the message, as a worker does. */
async function deadLetter(body: Buffer, messageId?: string): Promise<void> {
  const { taskExchange, taskQueue, taskRoutingKey, deadQueue } = test.broker.topology;
  const before = await messagesIn(deadQueue);
  const channel = await test.broker.openConfirmChannel();
  channel.publish(taskExchange, taskRoutingKey, body, {
    persistent: true,
    ...(messageId !== undefined && { messageId }),
  });
  await channel.waitForConfirms();
  const message = await channel.get(taskQueue);
  if (message) channel.reject(message, false);
  while ((await channel.checkQueue(deadQueue)).messageCount === before) continue;
  await channel.close();
}

async function setTaskAside(contents?: string): Promise<string> {
  const task = taskOf(contents);
  await deadLetter(encodeMessage(task), task.identifier);
  return task.identifier;
}

async function look(broker = test.broker): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = [];
  await visitDeadLetters(broker, (letter) => void letters.push(letter));
  return letters;
}

const identifiers = (letters: DeadLetter[]) => letters.map(({ identifier }) => identifier);

/** Runs the command and resolves with its status and output. */
function command(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const env = { ...process.env, AMQP_URL: environment('AMQP_URL'), NAMESPACE: test.namespace, WAITING_TASKS: '' };
  return new Promise((resolve) => {
    const script = ['--import', 'tsx', '--conditions=source', 'tools/dead-letters.ts', ...args];
    execFile(process.execPath, script, { cwd: root, env }, (error, stdout, stderr) => {
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

/** Consumes the next task as a worker does. */
async function nextTask(): Promise<TaskMessage> {
  let deliver: (task: TaskMessage) => void;
  const delivered = new Promise<TaskMessage>((resolve) => (deliver = resolve));
  const handle = async ({ task, replies }: TaskDelivery) => {
    await replies.publish({ version: 1, kind: 'final', attempt: 1, items: 0, state: 'SUCCESS', status: 0, workMs: 1 });
    deliver(task);
    return 'done' as const;
  };
  const consumer = consumeTasks({ broker: test.broker, concurrency: 1, handle });
  const task = await delivered;
  await consumer.close(5000);
  return task;
}

describe('npm run dead-letters', () => {
  it('lists all dead letters with their details and removes none', async () => {
    const first = await setTaskAside();
    await deadLetter(Buffer.from('not JSON'), 'its-name');
    await deadLetter(Buffer.from('{"version":99}'));
    const { stdout, status } = await command('list');
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(
      new RegExp(`^${first}  run  2026-01-02T00:00:00.000Z  \\d+ bytes  lost with each worker that took it, 20`),
    );
    expect(lines[1]).toMatch(/^its-name {2}- {2}- {2}8 bytes {2}no task that a worker could read, 20/);
    expect(lines[2]).toMatch(/^sha256-[0-9a-f]{16} {2}- {2}- {2}14 bytes {2}of a later version than its worker, 20/);
    expect({ lines: lines.length, status }).toEqual({ lines: 3, status: 0 });
    expect(await messagesIn(test.broker.topology.deadQueue)).toBe(3);
  });

  it("shows a task's files without terminal control sequences", async () => {
    await setTaskAside('another');
    const identifier = await setTaskAside(`${HELLO}--  \x1b[2J\u009b\n`);
    const { stdout } = await command('show', identifier);
    expect(stdout).toContain(`--- hello.adb\n${HELLO}--  \\u{1b}[2J\\u{9b}\n`);
    expect(stdout).toContain('{"mode":"run","main":"hello.adb","name":"Demo"}');
    expect(stdout).not.toContain('another');
  });

  it('drops one dead letter, also an unreadable one', async () => {
    const kept = await setTaskAside();
    await deadLetter(Buffer.from('not JSON'));
    const [, unreadable] = await look();
    const { stdout } = await command('drop', String(unreadable?.identifier));
    expect(stdout).toBe(`${unreadable?.identifier}  dropped\n`);
    expect(identifiers(await look())).toEqual([kept]);
  });

  it('drops all dead letters', async () => {
    await setTaskAside();
    await deadLetter(Buffer.from('not JSON'));
    expect((await command('drop', '--all')).status).toBe(0);
    expect(await look()).toEqual([]);
  });

  it('replays a dead letter as a new task with its own reply queue', async () => {
    const identifier = await setTaskAside();
    const { stdout } = await command('replay', identifier);
    const [, again = ''] = /^\S+ {2}runs again as (\S+)\n$/.exec(stdout) ?? [];
    opened.push(again);
    expect(await look()).toEqual([]);
    const task = await nextTask();
    expect(task).toEqual({ ...taskOf(), identifier: again, submittedAt: expect.any(Number) });
    expect(again).not.toBe(identifier);
    const answer = await createReplyReader(test.broker).poll(again, (messages) => ({ remove: [], result: messages }));
    expect(answer).toMatchObject([{ kind: 'final', state: 'SUCCESS' }]);
  });

  it('refuses to replay a message that is not a task, and keeps it', async () => {
    await deadLetter(Buffer.from('not JSON'), 'x');
    expect(await command('replay', 'x')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('x stays: what cannot be read'),
    });
    expect(identifiers(await look())).toEqual(['x']);
  });

  it.each([
    [['replay', 'nobody'], 'There is no dead letter nobody.'],
    [['drop'], 'npm run dead-letters'],
    [['list', 'x'], 'npm run dead-letters'],
  ])('reports the error in %j', async (args, words) => {
    expect(await command(...args)).toMatchObject({ status: 1, stderr: expect.stringContaining(words) });
  });
});

describe('the dead-letter queue', () => {
  it('keeps a letter if the process ends between the confirm of the new task and its removal', async () => {
    const identifier = await setTaskAside();
    const other = await connectTo(test.namespace, { WAITING_TASKS });
    const visit = visitDeadLetters(other, async (letter) => {
      opened.push(await replayTask(other, letter));
      await other.close();
    });
    await expect(visit).rejects.toThrow();
    expect(identifiers(await look())).toEqual([identifier]);
    expect((await nextTask()).identifier).toBe(opened[0]);
  });

  it('keeps a letter if the task queue is full', async () => {
    const identifier = await setTaskAside();
    for (let i = 0; i < WAITING_TASKS; i++) {
      const task = taskOf();
      opened.push(task.identifier);
      await createTaskPublisher(test.broker).submit(task);
    }
    const visit = visitDeadLetters(test.broker, (letter) => replayTask(test.broker, letter));
    await expect(visit).rejects.toMatchObject({ name: 'TaskQueueFull' });
    expect(identifiers(await look())).toEqual([identifier]);
  });

  it('keeps all letters after any number of looks', async () => {
    const identifier = await setTaskAside();
    let before: unknown;
    for (let i = 0; i < 45; i++) {
      const [letter, ...more] = await look();
      expect([letter?.identifier, ...more]).toEqual([identifier]);
      before ??= letter;
      expect(letter).toEqual(before);
    }
  }, 30_000);

  it('reports that it is busy while another operator holds some letters', async () => {
    await setTaskAside();
    const channel = await test.broker.openChannel();
    await channel.consume(test.broker.topology.deadQueue, () => undefined);
    await expect(look()).rejects.toMatchObject({ name: 'DeadLettersBusy' });
    await channel.close();
    expect(await look()).toHaveLength(1);
  });

  it('finds one letter among many', async () => {
    const { deadExchange } = test.broker.topology;
    const channel = await test.broker.openConfirmChannel();
    for (let i = 0; i < 900; i++)
      channel.publish(deadExchange, '', Buffer.alloc(10_000, String(i)), { messageId: String(i) });
    await channel.waitForConfirms();
    await channel.close();
    expect(identifiers(await look())).toEqual(Array.from({ length: 900 }, (_, i) => String(i)));
    expect(identifiers(await look())).toHaveLength(900);
  }, 30_000);

  it('is not declared by a look into an unknown namespace', async () => {
    const env = { ...process.env, AMQP_URL: environment('AMQP_URL'), NAMESPACE: `${test.namespace}-misspelt` };
    const script = ['--import', 'tsx', '--conditions=source', 'tools/dead-letters.ts', 'list'];
    const stderr = await new Promise((resolve) =>
      execFile(process.execPath, script, { cwd: root, env }, (_, __, text) => resolve(text)),
    );
    expect(stderr).toContain(`for NAMESPACE=${test.namespace}-misspelt`);
    const channel = await test.broker.openChannel();
    await expect(channel.checkQueue(`${test.namespace}-misspelt.dead`)).rejects.toThrow('NOT_FOUND');
  });
});
