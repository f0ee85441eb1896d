/** Output that is not polled: its cost in broker memory, and its delivery to a late client. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { collect, submit, text } from '../helpers/client.js';
import { startComposeBroker, type ComposeBroker } from '../helpers/compose-broker.js';
import { deploy, type Deployment } from '../helpers/deployment.js';
import { eventually } from '../helpers/eventually.js';
import { c } from '../helpers/programs.js';

const MIB = 1024 * 1024;
/** Each has 1 MiB of NULs, which become six characters each in JSON. */
const FLOODS = 24;
/** Less than half of the bytes in the queues. */
const MOST_GROWTH_MIB = 64;
/** Prints the memory of the broker's virtual machine in bytes. */
const MEMORY = ['/usr/lib/rabbitmq/bin/rabbitmqctl', '--quiet', 'eval', 'erlang:memory(total).'];
const BUILT = 'Build completed successfully.';
const WAIT_MS = 120_000;

/** Reaches its output limit after a sixteenth of its output. */
const flood = (n: number) => ({
  ...{ mode: 'run', name: 'Demo', switches: {}, lab: false },
  files: [
    c(
      `  static char block[65536];\n  for (long i = 0; i < ${1000 + n}; i++) write(1, block, sizeof block);\n  return 0;`,
    ),
  ],
});

describe('output that is not polled', () => {
  let broker: ComposeBroker;
  let service: Deployment;
  /** The task that was accepted last. */
  let last: string;

  beforeAll(async () => {
    // A separate broker, so that only this output affects its memory.
    broker = await startComposeBroker('unread');
    service = await deploy({
      namespace: broker.namespace,
      envOf: broker.settings,
      widgets: 1,
      workers: 1,
      env: { CONCURRENCY: '4' },
    });
  }, 120_000);
  afterAll(async () => {
    await service.end();
    await broker.end();
  }, 60_000);

  const memoryMib = async () => Number(await broker.exec(...MEMORY)) / MIB;
  const ended = () => service.log().filter(({ outcome }) => outcome === 'success').length;

  /** The maximum broker memory until `count` tasks have ended in total. */
  async function mostMemoryUntil(count: number): Promise<number> {
    let most = 0;
    await eventually(
      `${count} tasks have ended`,
      async () => {
        const enough = ended() >= count;
        most = Math.max(most, await memoryMib());
        return enough;
      },
      { limitMs: WAIT_MS, everyMs: 300 },
    );
    return most;
  }

  it(
    'takes almost no broker memory',
    async () => {
      const first = 4;
      for (let n = 0; n < first; n++) await submit(service.base, flood(n));
      await mostMemoryUntil(first);
      const before = await memoryMib();
      for (let n = first; n < first + FLOODS; n++) last = await submit(service.base, flood(n));
      expect((await mostMemoryUntil(first + FLOODS)) - before).toBeLessThan(MOST_GROWTH_MIB);
    },
    WAIT_MS + 60_000,
  );

  it('is delivered completely to a late page', async () => {
    const result = await collect(service.base, last);
    expect(result).toMatchObject({ status: 153, message: 'SUCCESS' });
    expect(text(result, 'stdout')).toBe(BUILT + '\0'.repeat(MIB));
  }, 60_000);
});
