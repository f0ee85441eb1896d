/** Many pages that poll running tasks, beside a few builds. */
import { setTimeout as sleep } from 'node:timers/promises';

import { connect } from 'amqplib';

import { submit } from '../test/helpers/client.js';
import type { Deployment } from '../test/helpers/deployment.js';
import { environment } from '../test/helpers/environment.js';
import type { Bench, Figures } from './bench.js';
import { inTurns } from './loads.js';
import { Page } from './page.js';
import { c, hello } from './programs.js';
import { addressOf, runTimed } from './service.js';
import { median, quantile, timed } from './statistics.js';

const PAGES = 500;
const PAUSE_MS = 250;
const ROUNDS = 3;

/** Creates tasks that are polled and never end: their service has no worker, and its queue is purged. */
async function neverEnding({ base, namespace }: Deployment, count: number): Promise<string[]> {
  const identifiers: string[] = [];
  await inTurns(count, 20, async () => identifiers.push(await submit(base, c())));
  const connection = await connect(environment('AMQP_URL'));
  const channel = await connection.createChannel();
  await channel.purgeQueue(`${namespace}.tasks`);
  await connection.close();
  return identifiers;
}

export const pollers = (bench: Bench) =>
  bench.withAnother({}, 0, async (service): Promise<Figures> => {
    const identifiers = await neverEnding(service, PAGES);
    await service.addWorker();
    const build = () => timed(() => inTurns(12, 2, () => runTimed(service, hello(), PAUSE_MS)));
    const alone: number[] = [];
    const beside: number[] = [];
    const pollMs: number[] = [];
    await build();
    for (let round = 0; round < ROUNDS; round++) {
      await bench.rest();
      alone.push(await build());
      let [polled, building] = [false, false];
      const polling = identifiers.map(async (identifier, i) => {
        await sleep((i * PAUSE_MS) / PAGES);
        const page = await Page.open(addressOf(service));
        for (; !polled; await sleep(PAUSE_MS)) {
          const tookMs = await timed(() => page.post('/check_output/', { identifier, read: 0 }));
          if (building) pollMs.push(tookMs);
        }
        page.close();
      });
      // The start of 500 pages is not measured.
      await bench.rest();
      building = true;
      beside.push(await build());
      [polled, building] = [true, false];
      await Promise.all(polling);
    }
    const slower = median(beside) / median(alone);
    const note = `the builds ${slower.toFixed(2)} x slower; p50 ${median(pollMs).toFixed(1)} ms`;
    return { service: quantile(pollMs, 0.99), unit: 'ms', samples: pollMs.length, note };
  });
