/**
 * What each of the broker's users may and may not do, by trying it, as somebody would who has taken
 * over a widget or a worker: rabbitmq/definitions.json in the broker of the compose file.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connectBroker, replayTask, visitDeadLetters, type Broker, type DeadLetter } from '@code-widgets/broker';
import { encodeMessage } from '@code-widgets/protocol';
import type { ChannelModel, ConfirmChannel } from 'amqplib';

import { runProgram, text } from '../helpers/client.js';
import { refusalOf, startComposeBroker, type ComposeBroker } from '../helpers/compose-broker.js';
import { deploy } from '../helpers/deployment.js';
import { eventually } from '../helpers/eventually.js';

type Act = (channel: ConfirmChannel, name: (last: string) => string) => unknown;

const REPLY = 'reply.11111111-2222-4333-8444-555555555555';
const LOG = 'attempts.11111111-2222-4333-8444-555555555555';
const BODY = Buffer.from('{}');
/** As the topology declares them, a reply queue but for its limits, which a policy sets as well. */
const DURABLE = { durable: true };
const consume = (channel: ConfirmChannel, queue: string) => channel.consume(queue, () => undefined);

let broker: ComposeBroker;
let connections: Record<'widget' | 'worker', ChannelModel>;

beforeAll(async () => {
  broker = await startComposeBroker('rights');
  connections = { widget: await broker.connect('widget'), worker: await broker.connect('worker') };
  // One task waits, so that there is something to take.
  await outcomeOf('widget', (channel, name) => channel.publish(name('submit'), 'run', BODY));
  await outcomeOf('widget', (channel, name) => channel.assertQueue(name(REPLY), DURABLE));
}, 10 * 60_000);
afterAll(async () => {
  await Promise.all(Object.values(connections).map((connection) => connection.close()));
  await broker.end();
}, 60_000);

/** 'done', or the broker's words for why not. */
async function outcomeOf(user: 'widget' | 'worker', act: Act): Promise<string> {
  const channel = await connections[user].createConfirmChannel();
  channel.on('error', () => undefined);
  try {
    await act(channel, (last) => `${broker.namespace}.${last}`);
    // What has no answer, a publication, is refused by the time that this has one.
    await channel.checkQueue(`${broker.namespace}.tasks`);
    await channel.close();
    return 'done';
  } catch (error) {
    return (error as Error).message;
  }
}

/** What rabbitmqctl lists, sorted. */
async function list(...words: string[]): Promise<string[]> {
  const text = await broker.exec('/usr/lib/rabbitmq/bin/rabbitmqctl', '--quiet', '--no-table-headers', ...words);
  return text.trim().split('\n').sort();
}

/** Right and resource are in the words of some versions only. */
const REFUSED = /ACCESS_REFUSED - (\w+ )?access to (queue|exchange) '.*' in vhost 'widgets' refused for user/;

/** Nobody needs these while the service runs: they come with the definitions. */
const ofNobody: [string, Act][] = [
  ['deletes the queue of tasks', (channel, name) => channel.deleteQueue(name('tasks'))],
  ['declares it anew', (channel, name) => channel.assertQueue(name('tasks'), DURABLE)],
  ['deletes the exchange of tasks', (channel, name) => channel.deleteExchange(name('submit'))],
  ['deletes the exchange of replies', (channel, name) => channel.deleteExchange(name('replies'))],
  ['declares an exchange', (channel, name) => channel.assertExchange(name('mine'), 'fanout')],
  ['declares a queue of another name', (channel, name) => channel.assertQueue(name('mine'))],
  ['declares a queue of a name that the broker chooses', (channel) => channel.assertQueue('', { exclusive: true })],
  ['reads what is kept for the operator', (channel, name) => consume(channel, name('dead'))],
  ['empties it', (channel, name) => channel.purgeQueue(name('dead'))],
  ['deletes it', (channel, name) => channel.deleteQueue(name('dead'))],
  ['adds to it', (channel, name) => channel.publish(name('dead'), '', BODY)],
  ['publishes a task around its exchange', (channel, name) => channel.sendToQueue(name('tasks'), BODY)],
  ['publishes a reply around its exchange', (channel, name) => channel.sendToQueue(name(REPLY), BODY)],
  ['has replies delivered as tasks', (channel, name) => channel.bindQueue(name('tasks'), name('replies'), 'x')],
  [
    'takes the queue of tasks from its exchange',
    (channel, name) => channel.unbindQueue(name('tasks'), name('submit'), 'run'),
  ],
  ['has tasks delivered as replies', (channel, name) => channel.bindQueue(name(REPLY), name('submit'), 'run')],
  [
    'has tasks delivered as replies, by way of exchanges',
    (channel, name) => channel.bindExchange(name('replies'), name('submit'), 'run'),
  ],
];
const ofTheWorker: [string, Act][] = [
  ['opens a log of attempts', (channel, name) => channel.assertQueue(name(LOG), DURABLE)],
  ['notes an attempt', (channel, name) => channel.publish(name('attempts'), 'x', BODY)],
  ['consumes tasks', (channel, name) => consume(channel, name('tasks'))],
  ['gets a task', (channel, name) => channel.get(name('tasks'))],
  ['throws the tasks away', (channel, name) => channel.purgeQueue(name('tasks'))],
];
const ofTheWidget: [string, Act][] = [
  ['reads a reply queue', (channel, name) => consume(channel, name(REPLY))],
  ['empties a reply queue', (channel, name) => channel.purgeQueue(name(REPLY))],
  ['publishes a task', (channel, name) => channel.publish(name('submit'), 'run', BODY)],
  ['opens a reply queue', (channel, name) => channel.assertQueue(name(`${REPLY}-0`), DURABLE)],
  [
    "has another task's replies delivered to a queue",
    (channel, name) => channel.bindQueue(name(REPLY), name('replies'), 'x'),
  ],
  ["ends a task's replies", (channel, name) => channel.unbindQueue(name(REPLY), name('replies'), REPLY)],
  ['deletes a reply queue', (channel, name) => channel.deleteQueue(name(REPLY))],
];
/** Ways that a queue of the widget's own could lead messages on. */
const ofTheWidgetsQueues: [string, Act][] = [
  [
    'has its queue pass dead letters on to any queue',
    (channel, name) =>
      channel.assertQueue(name(`${REPLY}-1`), {
        arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': name('dead') },
      }),
  ],
  [
    'has its queue pass dead letters on to the operator',
    (channel, name) => channel.assertQueue(name(`${REPLY}-2`), { deadLetterExchange: name('dead') }),
  ],
  [
    'has its exchange pass what has no way on to any queue',
    (channel, name) => channel.assertExchange(name(`${REPLY}-3`), 'fanout', { alternateExchange: name('dead') }),
  ],
];

describe("a widget's user is refused when it", () => {
  it.each([...ofNobody, ...ofTheWorker, ...ofTheWidgetsQueues])('%s', async (_, act) => {
    expect(await outcomeOf('widget', act)).toMatch(REFUSED);
  });
});

describe("a worker's user is refused when it", () => {
  it.each([...ofNobody, ...ofTheWidget])('%s', async (_, act) => {
    expect(await outcomeOf('worker', act)).toMatch(REFUSED);
  });
});

describe('with these rights', () => {
  it.each([
    ['counts the waiting tasks', (channel, name) => channel.checkQueue(name('tasks'))],
    ['opens a reply queue', (channel, name) => channel.assertQueue(name(`${REPLY}-9`), DURABLE)],
    ['has its replies delivered to it', (channel, name) => channel.bindQueue(name(`${REPLY}-9`), name('replies'), 'x')],
    ['publishes a reply', (channel, name) => channel.publish(name('replies'), 'x', BODY)],
    [
      'holds a reply queue',
      (channel, name) => channel.consume(name(`${REPLY}-9`), () => undefined, { exclusive: true }),
    ],
    ['removes a reply queue', (channel, name) => channel.deleteQueue(name(`${REPLY}-9`))],
  ] as [string, Act][])('a widget %s', async (_, act) => {
    expect(await outcomeOf('widget', act)).toBe('done');
  });

  it.each([
    ['publishes a reply', (channel, name) => channel.publish(name('replies'), 'x', BODY)],
    ['asks whether a reply queue is there', (channel, name) => channel.checkQueue(name(REPLY))],
    ['opens a log of attempts', (channel, name) => channel.assertQueue(name(LOG), DURABLE)],
    ['has notes delivered to it', (channel, name) => channel.bindQueue(name(LOG), name('attempts'), 'x')],
    ['notes an attempt', (channel, name) => channel.publish(name('attempts'), 'x', BODY)],
    ['reads the log of attempts', (channel, name) => channel.get(name(LOG))],
    ['removes a log of attempts', (channel, name) => channel.deleteQueue(name(LOG))],
    [
      'takes a task and sets it aside',
      async (channel, name) => {
        const task = await channel.get(name('tasks'));
        if (task) channel.reject(task, false);
      },
    ],
  ] as [string, Act][])('a worker %s', async (_, act) => {
    expect(await outcomeOf('worker', act)).toBe('done');
  });

  it('what a worker sets aside is there for the operator', async () => {
    const channel = await connections.widget.createChannel();
    const kept = async () => (await channel.checkQueue(`${broker.namespace}.dead`)).messageCount;
    await eventually('the task is dead-lettered', async () => (await kept()) > 0, { limitMs: 5000 });
    expect(await kept()).toBe(1);
    await channel.close();
  });

  it('nothing is there but what is to be there', async () => {
    const names = ['dead', REPLY, 'tasks'].map((last) => `${broker.namespace}.${last}`);
    expect(await list('-p', 'widgets', 'list_queues', 'name')).toEqual(names);
    const exchanges = ['attempts', 'dead', 'replies', 'submit'].map((last) => `${broker.namespace}.${last}`);
    expect(
      (await list('-p', 'widgets', 'list_exchanges', 'name')).filter((name) => !/^(amq\..*)?$/.test(name)),
    ).toEqual(exchanges);
  }, 30_000);

  it('nobody else is let in, guest neither', async () => {
    expect(await list('list_users')).toEqual(['widget\t[]', 'worker\t[]']);
    await expect(broker.connect('guest')).rejects.toThrow(/ACCESS_REFUSED/);
  }, 30_000);

  it('who asks for a queue that is not there writes nothing into the log', async () => {
    const before = await broker.log();
    for (let i = 0; i < 10; i++)
      expect(await outcomeOf('widget', (channel, name) => channel.checkQueue(name(`reply.unknown-${i}`)))).toMatch(
        /NOT_FOUND/,
      );
    await sleep(500);
    expect((await broker.log()).slice(before.length)).not.toMatch(/unknown-|NOT_FOUND|not_found/);
  }, 30_000);

  it('a widget and a worker do all that they have to', async () => {
    const env = { REPLY_EXPIRY_MS: '600000' };
    const service = await deploy({ widgets: 1, workers: 1, namespace: broker.namespace, env, envOf: broker.settings });
    try {
      const main = {
        basename: 'main.c',
        contents: '#include <stdio.h>\nint main(void) { puts("within its rights"); return 0; }\n',
      };
      const result = await runProgram(service.base, { files: [main], mode: 'run' });
      expect([result.status, result.message]).toEqual([0, 'SUCCESS']);
      expect(text(result, 'stdout')).toContain('within its rights\n');
      expect(service.log().filter(({ level }) => Number(level) >= 40)).toEqual([]);
    } finally {
      await service.end();
    }
  }, 60_000);

  it('an app whose queues are not there says so, and what to do', async () => {
    const said: string[] = [];
    const note = (_: object, message: string) => said.push(message);
    const app = await connectBroker(
      {
        ...(broker.settings.worker as { AMQP_URL: string }),
        NAMESPACE: 'elsewhere',
        WAITING_TASKS: 200,
        REPLY_EXPIRY_MS: 60_000,
      },
      { info: note, warn: note, error: note },
    );
    await eventually('the app says something', () => said.length > 0).finally(() => app.close());
    expect(said[0]).toMatch(/is not there, and this user may not declare it: import rabbitmq\/definitions.json/);
  }, 20_000);
});

describe('an operator with the rights that docs/operations.md names', () => {
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
  let operator: Broker;
  const lettersSeen = async () => {
    const seen: DeadLetter[] = [];
    await visitDeadLetters(operator, (letter) => void seen.push(letter));
    return seen;
  };

  beforeAll(async () => {
    const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const rights = /set_permissions -p widgets operator '(.*)' '(.*)' '(.*)'/.exec(page)?.slice(1) ?? [];
    const control = (...words: string[]) => broker.exec('/usr/lib/rabbitmq/bin/rabbitmqctl', ...words);
    await control('add_user', 'operator', 'of-a-test');
    await control(
      'set_permissions',
      '-p',
      'widgets',
      'operator',
      ...rights.map((right) => right.replaceAll('widget\\.', `${broker.namespace}\\.`)),
    );
    const { host } = new URL(String(broker.settings.widget.AMQP_URL));
    const AMQP_URL = `amqp://operator:of-a-test@${host}/widgets`;
    const settings = { AMQP_URL, NAMESPACE: broker.namespace, WAITING_TASKS: 150, REPLY_EXPIRY_MS: 60_000 };
    operator = await connectBroker(settings, quiet, { declare: false });
    await operator.ready();
    const request = { files: [], mode: 'run' as const };
    await outcomeOf('widget', (channel, name) =>
      channel.publish(
        name('submit'),
        'run',
        encodeMessage({ version: 1, identifier: 'lost', submittedAt: 1, request }),
      ),
    );
    await outcomeOf('worker', async (channel, name) => {
      for (let task; (task = await channel.get(name('tasks')));) channel.reject(task, false);
    });
    await eventually('a task is dead-lettered', async () => (await lettersSeen()).some(({ task }) => task), {
      limitMs: 5000,
    });
  }, 60_000);
  afterAll(() => operator.close());

  it('loses nothing by looking, however often: this broker drops what came back twenty times', async () => {
    const before = await lettersSeen();
    expect(before.filter(({ identifier, reason }) => identifier === 'lost' && reason === 'rejected')).toHaveLength(1);
    for (let i = 0; i < 45; i++) expect(await lettersSeen()).toEqual(expect.arrayContaining(before));
  }, 60_000);

  it('has a task run again', async () => {
    let again = '';
    await visitDeadLetters(operator, (letter) =>
      letter.identifier === 'lost'
        ? replayTask(operator, letter).then((identifier) => (again = identifier))
        : undefined,
    );
    expect((await lettersSeen()).filter(({ identifier }) => identifier === 'lost')).toEqual([]);
    const taken = await outcomeOf('worker', async (channel, name) => {
      const message = await channel.get(name('tasks'));
      if (message) channel.ack(message);
      expect(message && JSON.parse(message.content.toString())).toMatchObject({ identifier: again });
    });
    expect(taken).toBe('done');
  });

  it('drops what is left', async () => {
    await visitDeadLetters(operator, () => Promise.resolve());
    expect(await lettersSeen()).toEqual([]);
  });

  it.each([
    ['takes tasks', (channel, name) => channel.get(name('tasks'))],
    ['empties the queue of tasks', (channel, name) => channel.purgeQueue(name('tasks'))],
    ['reads an answer', (channel, name) => channel.get(name(REPLY))],
    ['publishes an answer', (channel, name) => channel.publish(name('replies'), 'x', BODY)],
  ] as [string, Act][])('is refused when he %s', async (_, act) => {
    const channel = await operator.openConfirmChannel();
    const closed = new Promise<Error>((resolve) => channel.on('error', resolve));
    const done = Promise.resolve(act(channel, (last) => `${broker.namespace}.${last}`));
    // A publication has no answer: the broker closes the channel over it.
    const error = await done.then(
      () => closed,
      (refused: Error) => refused,
    );
    expect(error.message).toMatch(REFUSED);
  });
});

describe('the broker of the compose file does not start', () => {
  it.each([
    [
      'without a password',
      { WIDGET_BROKER_PASSWORD: 'a' },
      'WORKER_BROKER_PASSWORD is not set, and there is no file with a password that WORKER_BROKER_PASSWORD_FILE names',
    ],
    [
      'with one password for both',
      { WIDGET_BROKER_PASSWORD: 'a', WORKER_BROKER_PASSWORD: 'a' },
      'WIDGET_BROKER_PASSWORD and WORKER_BROKER_PASSWORD must differ',
    ],
    [
      'with a password that no URL can hold',
      { WIDGET_BROKER_PASSWORD: 'a@b', WORKER_BROKER_PASSWORD: 'c' },
      'WIDGET_BROKER_PASSWORD may hold letters, digits, - and _ alone (a file may hold any password)',
    ],
  ] as [string, Record<string, string>, string][])('%s', async (_, env, words) => {
    expect(await refusalOf(env)).toBe(words);
  });
});
