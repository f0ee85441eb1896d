/** Checks the rights in rabbitmq/definitions.json: each broker user tries allowed and forbidden actions. */
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
/** The topology's queue options; the limits of a reply queue also come from a policy. */
const DURABLE = { durable: true };
const consume = (channel: ConfirmChannel, queue: string) => channel.consume(queue, () => undefined);

let broker: ComposeBroker;
let connections: Record<'widget' | 'worker', ChannelModel>;

beforeAll(async () => {
  broker = await startComposeBroker('rights');
  connections = { widget: await broker.connect('widget'), worker: await broker.connect('worker') };
  // One waiting task, for the tests that read the task queue.
  await outcomeOf('widget', (channel, name) => channel.publish(name('submit'), 'run', BODY));
  await outcomeOf('widget', (channel, name) => channel.assertQueue(name(REPLY), DURABLE));
}, 10 * 60_000);
afterAll(async () => {
  await Promise.all(Object.values(connections).map((connection) => connection.close()));
  await broker.end();
}, 60_000);

/** Resolves with 'done' or the broker's error message. */
async function outcomeOf(user: 'widget' | 'worker', act: Act): Promise<string> {
  const channel = await connections[user].createConfirmChannel();
  channel.on('error', () => undefined);
  try {
    await act(channel, (last) => `${broker.namespace}.${last}`);
    // A publication has no response. The broker reports its refusal before it answers this call.
    await channel.checkQueue(`${broker.namespace}.tasks`);
    await channel.close();
    return 'done';
  } catch (error) {
    return (error as Error).message;
  }
}

/** Runs a list command of rabbitmqctl and sorts its lines. */
async function list(...words: string[]): Promise<string[]> {
  const text = await broker.exec('/usr/lib/rabbitmq/bin/rabbitmqctl', '--quiet', '--no-table-headers', ...words);
  return text.trim().split('\n').sort();
}

/** Only some broker versions name the right and the kind of resource. */
const REFUSED = /ACCESS_REFUSED - (\w+ )?access to (queue|exchange) '.*' in vhost 'widgets' refused for user/;

/** Rights that no app needs, since the definitions create the queues and exchanges. */
const FORBIDDEN_FOR_ALL: [string, Act][] = [
  ['deletes the task queue', (channel, name) => channel.deleteQueue(name('tasks'))],
  ['redeclares the task queue', (channel, name) => channel.assertQueue(name('tasks'), DURABLE)],
  ['deletes the exchange for tasks', (channel, name) => channel.deleteExchange(name('submit'))],
  ['deletes the exchange for replies', (channel, name) => channel.deleteExchange(name('replies'))],
  ['declares an exchange', (channel, name) => channel.assertExchange(name('mine'), 'fanout')],
  ['declares a queue outside the naming scheme', (channel, name) => channel.assertQueue(name('mine'))],
  ['declares a queue with a server-generated name', (channel) => channel.assertQueue('', { exclusive: true })],
  ['reads the dead letters', (channel, name) => consume(channel, name('dead'))],
  ['purges the dead letters', (channel, name) => channel.purgeQueue(name('dead'))],
  ['deletes the dead-letter queue', (channel, name) => channel.deleteQueue(name('dead'))],
  ['publishes a dead letter', (channel, name) => channel.publish(name('dead'), '', BODY)],
  ['publishes a task without its exchange', (channel, name) => channel.sendToQueue(name('tasks'), BODY)],
  ['publishes a reply without its exchange', (channel, name) => channel.sendToQueue(name(REPLY), BODY)],
  ['binds the task queue to the replies', (channel, name) => channel.bindQueue(name('tasks'), name('replies'), 'x')],
  [
    'unbinds the task queue from its exchange',
    (channel, name) => channel.unbindQueue(name('tasks'), name('submit'), 'run'),
  ],
  ['binds a reply queue to the tasks', (channel, name) => channel.bindQueue(name(REPLY), name('submit'), 'run')],
  [
    'binds the exchange for replies to the tasks',
    (channel, name) => channel.bindExchange(name('replies'), name('submit'), 'run'),
  ],
];
const FORBIDDEN_FOR_WIDGET: [string, Act][] = [
  ['declares an attempt log', (channel, name) => channel.assertQueue(name(LOG), DURABLE)],
  ['publishes an attempt', (channel, name) => channel.publish(name('attempts'), 'x', BODY)],
  ['consumes tasks', (channel, name) => consume(channel, name('tasks'))],
  ['gets a task', (channel, name) => channel.get(name('tasks'))],
  ['purges the task queue', (channel, name) => channel.purgeQueue(name('tasks'))],
];
const FORBIDDEN_FOR_WORKER: [string, Act][] = [
  ['reads a reply queue', (channel, name) => consume(channel, name(REPLY))],
  ['purges a reply queue', (channel, name) => channel.purgeQueue(name(REPLY))],
  ['publishes a task', (channel, name) => channel.publish(name('submit'), 'run', BODY)],
  ['declares a reply queue', (channel, name) => channel.assertQueue(name(`${REPLY}-0`), DURABLE)],
  ["binds a queue to another task's replies", (channel, name) => channel.bindQueue(name(REPLY), name('replies'), 'x')],
  ['unbinds a reply queue', (channel, name) => channel.unbindQueue(name(REPLY), name('replies'), REPLY)],
  ['deletes a reply queue', (channel, name) => channel.deleteQueue(name(REPLY))],
];
/** Ways to forward messages from a queue or exchange that the widget may declare. */
const FORWARDING: [string, Act][] = [
  [
    'declares a reply queue that dead-letters to an arbitrary queue',
    (channel, name) =>
      channel.assertQueue(name(`${REPLY}-1`), {
        arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': name('dead') },
      }),
  ],
  [
    'declares a reply queue that dead-letters to the operator',
    (channel, name) => channel.assertQueue(name(`${REPLY}-2`), { deadLetterExchange: name('dead') }),
  ],
  [
    'declares an exchange with an alternate exchange',
    (channel, name) => channel.assertExchange(name(`${REPLY}-3`), 'fanout', { alternateExchange: name('dead') }),
  ],
];

describe("a widget's user is refused when it", () => {
  it.each([...FORBIDDEN_FOR_ALL, ...FORBIDDEN_FOR_WIDGET, ...FORWARDING])('%s', async (_, act) => {
    expect(await outcomeOf('widget', act)).toMatch(REFUSED);
  });
});

describe("a worker's user is refused when it", () => {
  it.each([...FORBIDDEN_FOR_ALL, ...FORBIDDEN_FOR_WORKER])('%s', async (_, act) => {
    expect(await outcomeOf('worker', act)).toMatch(REFUSED);
  });
});

describe('with these rights', () => {
  it.each([
    ['counts the waiting tasks', (channel, name) => channel.checkQueue(name('tasks'))],
    ['declares a reply queue', (channel, name) => channel.assertQueue(name(`${REPLY}-9`), DURABLE)],
    ['binds it to its replies', (channel, name) => channel.bindQueue(name(`${REPLY}-9`), name('replies'), 'x')],
    ['publishes a reply', (channel, name) => channel.publish(name('replies'), 'x', BODY)],
    [
      'consumes a reply queue exclusively',
      (channel, name) => channel.consume(name(`${REPLY}-9`), () => undefined, { exclusive: true }),
    ],
    ['deletes a reply queue', (channel, name) => channel.deleteQueue(name(`${REPLY}-9`))],
  ] as [string, Act][])('a widget %s', async (_, act) => {
    expect(await outcomeOf('widget', act)).toBe('done');
  });

  it.each([
    ['publishes a reply', (channel, name) => channel.publish(name('replies'), 'x', BODY)],
    ['checks whether a reply queue exists', (channel, name) => channel.checkQueue(name(REPLY))],
    ['declares an attempt log', (channel, name) => channel.assertQueue(name(LOG), DURABLE)],
    ['binds the attempt log', (channel, name) => channel.bindQueue(name(LOG), name('attempts'), 'x')],
    ['publishes an attempt', (channel, name) => channel.publish(name('attempts'), 'x', BODY)],
    ['reads the attempt log', (channel, name) => channel.get(name(LOG))],
    ['deletes an attempt log', (channel, name) => channel.deleteQueue(name(LOG))],
    [
      'rejects a task',
      async (channel, name) => {
        const task = await channel.get(name('tasks'));
        if (task) channel.reject(task, false);
      },
    ],
  ] as [string, Act][])('a worker %s', async (_, act) => {
    expect(await outcomeOf('worker', act)).toBe('done');
  });

  it('the broker dead-letters a task that a worker rejects', async () => {
    const channel = await connections.widget.createChannel();
    const kept = async () => (await channel.checkQueue(`${broker.namespace}.dead`)).messageCount;
    await eventually('the task is dead-lettered', async () => (await kept()) > 0, { limitMs: 5000 });
    expect(await kept()).toBe(1);
    await channel.close();
  });

  it('only the declared queues and exchanges exist', async () => {
    const names = ['dead', REPLY, 'tasks'].map((last) => `${broker.namespace}.${last}`);
    expect(await list('-p', 'widgets', 'list_queues', 'name')).toEqual(names);
    const exchanges = ['attempts', 'dead', 'replies', 'submit'].map((last) => `${broker.namespace}.${last}`);
    expect(
      (await list('-p', 'widgets', 'list_exchanges', 'name')).filter((name) => !/^(amq\..*)?$/.test(name)),
    ).toEqual(exchanges);
  }, 30_000);

  it('only the two users exist, and guest cannot connect', async () => {
    expect(await list('list_users')).toEqual(['widget\t[]', 'worker\t[]']);
    await expect(broker.connect('guest')).rejects.toThrow(/ACCESS_REFUSED/);
  }, 30_000);

  it('a check for a missing queue writes nothing to the log', async () => {
    const before = await broker.log();
    for (let i = 0; i < 10; i++)
      expect(await outcomeOf('widget', (channel, name) => channel.checkQueue(name(`reply.unknown-${i}`)))).toMatch(
        /NOT_FOUND/,
      );
    await sleep(500);
    expect((await broker.log()).slice(before.length)).not.toMatch(/unknown-|NOT_FOUND|not_found/);
  }, 30_000);

  it('the service runs a program', async () => {
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

  it('an app reports missing queues and how to declare them', async () => {
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

  it('loses no dead letter by looking 45 times, though this broker drops a message after 20 returns', async () => {
    const before = await lettersSeen();
    expect(before.filter(({ identifier, reason }) => identifier === 'lost' && reason === 'rejected')).toHaveLength(1);
    for (let i = 0; i < 45; i++) expect(await lettersSeen()).toEqual(expect.arrayContaining(before));
  }, 60_000);

  it('replays a task', async () => {
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

  it('drops the remaining dead letters', async () => {
    await visitDeadLetters(operator, () => Promise.resolve());
    expect(await lettersSeen()).toEqual([]);
  });

  it.each([
    ['takes tasks', (channel, name) => channel.get(name('tasks'))],
    ['purges the task queue', (channel, name) => channel.purgeQueue(name('tasks'))],
    ['reads a reply', (channel, name) => channel.get(name(REPLY))],
    ['publishes a reply', (channel, name) => channel.publish(name('replies'), 'x', BODY)],
  ] as [string, Act][])('is refused when it %s', async (_, act) => {
    const channel = await operator.openConfirmChannel();
    const closed = new Promise<Error>((resolve) => channel.on('error', resolve));
    const done = Promise.resolve(act(channel, (last) => `${broker.namespace}.${last}`));
    // A publication has no response: the broker closes the channel instead.
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
      'with the same password for both users',
      { WIDGET_BROKER_PASSWORD: 'a', WORKER_BROKER_PASSWORD: 'a' },
      'WIDGET_BROKER_PASSWORD and WORKER_BROKER_PASSWORD must differ',
    ],
    [
      'with a password that is not valid in a URL',
      { WIDGET_BROKER_PASSWORD: 'a@b', WORKER_BROKER_PASSWORD: 'c' },
      'WIDGET_BROKER_PASSWORD may hold letters, digits, - and _ alone (a file may hold any password)',
    ],
  ] as [string, Record<string, string>, string][])('%s', async (_, env, words) => {
    expect(await refusalOf(env)).toBe(words);
  });
});
