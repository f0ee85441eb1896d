import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';
import type { Channel, Options } from 'amqplib';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

import { BROKER_SETTINGS } from '../src/settings.js';
import { createTopology, type TopologySettings } from '../src/topology.js';

interface Permission {
  user: string;
  configure: string;
  write: string;
  read: string;
}
interface Definitions {
  vhosts: { name: string }[];
  users: { name: string; tags: string[] }[];
  permissions: Permission[];
  exchanges: { name: string; type: string }[];
  queues: { name: string; arguments: Record<string, unknown> }[];
  bindings: { source: string; destination: string; routing_key: string }[];
  policies: { pattern: string; definition: Record<string, unknown> }[];
}
const read = (name: string) => readFileSync(new URL(`../../../rabbitmq/${name}`, import.meta.url), 'utf8');
const definitions = JSON.parse(read('definitions.json')) as Definitions;

/** The values that the entrypoint fills in are left as placeholders, and the topology uses the same placeholders. */
const settings = {
  NAMESPACE: '@NAMESPACE@',
  WAITING_TASKS: '@WAITING_TASKS@',
  REPLY_EXPIRY_MS: '@REPLY_EXPIRY_MS@',
} as unknown as TopologySettings;
const topology = createTopology(settings);
const defaults = Value.Default(Type.Object(BROKER_SETTINGS), {}) as TopologySettings;
const ATTEMPT_LOG = topology.attemptLog('11111111-2222-4333-8444-555555555555');
const REPLY_QUEUE = topology.replyQueue('11111111-2222-4333-8444-555555555555');

/** A channel that records what is declared on it. */
function recordingChannel() {
  const noted = {
    exchanges: [] as object[],
    queues: new Map<string, Record<string, unknown>>(),
    bindings: [] as object[],
  };
  const channel = {
    assertExchange: (name: string, type: string, options: object) =>
      Promise.resolve(noted.exchanges.push({ name, type, ...options })),
    assertQueue: (name: string, options: Options.AssertQueue) =>
      Promise.resolve(noted.queues.set(name, options.arguments as Record<string, unknown>)),
    bindQueue: (destination: string, source: string, routing_key: string) =>
      Promise.resolve(noted.bindings.push({ source, destination, routing_key })),
  } as unknown as Channel;
  return { noted, channel };
}

describe("the definitions of the compose file's broker", () => {
  it('contain the exchanges, queues and bindings of the topology', async () => {
    const { noted, channel } = recordingChannel();
    await topology.declareShared(channel);
    const shared = { vhost: 'widgets', durable: true, auto_delete: false };
    expect(definitions.exchanges).toEqual(
      noted.exchanges.map((one) => ({ ...shared, internal: false, arguments: {}, ...one })),
    );
    expect(definitions.queues).toEqual([...noted.queues].map(([name, args]) => ({ ...shared, name, arguments: args })));
    const plain = { vhost: 'widgets', destination_type: 'queue', arguments: {} };
    expect(definitions.bindings).toEqual(noted.bindings.map((one) => ({ ...plain, ...one })));
  });

  it("contain one policy per kind of queue, with the topology's arguments", async () => {
    const { noted, channel } = recordingChannel();
    await topology.declareShared(channel);
    await topology.declareReplyQueue(channel, '11111111-2222-4333-8444-555555555555');
    await topology.declareAttemptLog(channel, '11111111-2222-4333-8444-555555555555');
    expect(noted.queues.size).toBe(4);
    for (const [name, args] of noted.queues) {
      const matching = definitions.policies.filter(({ pattern }) => new RegExp(pattern).test(name));
      expect(matching).toHaveLength(1);
      for (const [key, value] of Object.entries(matching[0]?.definition ?? {})) {
        expect([name, key, args[`x-${key}`]]).toEqual([name, key, value]);
      }
    }
  });

  it.each(['NAMESPACE', 'WAITING_TASKS', 'REPLY_EXPIRY_MS'] as const)("have the apps' default for %s", (name) => {
    expect(read('entrypoint.sh')).toContain(`${name}=\${${name}:-${defaults[name]}}`);
  });

  it('contain two users without passwords or administrator rights', () => {
    expect(definitions.users.map(({ name, tags }) => [name, tags])).toEqual([
      ['widget', []],
      ['worker', []],
    ]);
    for (const user of definitions.users) expect(Object.keys(user)).not.toContain('password');
    expect(definitions.vhosts).toEqual([{ name: 'widgets' }]);
  });

  const exchanges = {
    tasks: topology.taskExchange,
    replies: topology.replyExchange,
    attempts: topology.attemptExchange,
    standard: 'amq.default',
  };
  const queues = { tasks: topology.taskQueue, dead: '@NAMESPACE@.dead', reply: REPLY_QUEUE, log: ATTEMPT_LOG };
  const others = [
    `x${REPLY_QUEUE}`,
    `${topology.taskQueue}x`,
    `@NAMESPACE@xtasks`,
    'other.tasks',
    'other.reply.1',
    'amq.gen-1',
  ];
  it.each([
    [
      'widget',
      {
        configure: [queues.reply],
        write: [exchanges.tasks, exchanges.replies, queues.reply],
        read: [exchanges.replies, queues.reply],
      },
    ],
    [
      'worker',
      {
        configure: [queues.log],
        write: [exchanges.replies, exchanges.attempts, queues.log],
        read: [queues.tasks, exchanges.attempts, queues.log],
      },
    ],
  ] as const)('give a %s only the rights that it needs', (user, rights) => {
    const [permission, ...more] = definitions.permissions.filter((one) => one.user === user);
    expect(more).toEqual([]);
    const names = [...Object.values(exchanges), ...Object.values(queues), ...others];
    for (const right of ['configure', 'write', 'read'] as const) {
      const granted = names.filter((name) => new RegExp(permission?.[right] as string).test(name));
      expect([right, granted.sort()]).toEqual([right, [...rights[right]].sort()]);
    }
  });
});
