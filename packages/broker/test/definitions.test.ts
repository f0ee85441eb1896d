import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';
import type { Channel, Options } from 'amqplib';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

import { BROKER_SETTINGS } from '../src/settings.js';
import { createTopology, type TopologySettings } from '../src/topology.js';

interface Policy {
  pattern: string;
  definition: Record<string, unknown>;
}
const file = new URL('../../../rabbitmq/definitions.json', import.meta.url);
const { policies } = JSON.parse(readFileSync(file, 'utf8')) as { policies: Policy[] };

/** Every queue that the topology declares with the default settings, with its arguments. */
async function declared(): Promise<Map<string, Record<string, unknown>>> {
  const queues = new Map<string, Record<string, unknown>>();
  const channel = {
    assertExchange: () => Promise.resolve(),
    bindQueue: () => Promise.resolve(),
    assertQueue: (name: string, options: Options.AssertQueue) =>
      Promise.resolve(queues.set(name, options.arguments as Record<string, unknown>)),
  } as unknown as Channel;
  const topology = createTopology(Value.Default(Type.Object(BROKER_SETTINGS), {}) as TopologySettings);
  await topology.declareShared(channel);
  await topology.declareReplyQueue(channel, '11111111-2222-4333-8444-555555555555');
  return queues;
}

describe('the definitions of the compose file\'s broker', () => {
  it('have one policy for each kind of queue, which says what the topology declares', async () => {
    const queues = await declared();
    expect(queues.size).toBe(3);
    for (const [name, args] of queues) {
      const matching = policies.filter(({ pattern }) => new RegExp(pattern).test(name));
      expect(matching).toHaveLength(1);
      for (const [key, value] of Object.entries(matching[0]?.definition ?? {})) {
        expect([name, key, args[`x-${key}`]]).toEqual([name, key, value]);
      }
    }
  });
});
