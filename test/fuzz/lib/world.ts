/** The two services under test and their observers. */
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { createReplyReader, type Broker, type ReplyReader } from '@code-widgets/broker';

import { MAX_CONCURRENCY } from '../../../apps/worker/src/config.js';
import type { FuzzedProcess } from './fuzz-table.js';
import { connectTo } from '../../helpers/broker.js';
import { deploy, type Deployment } from '../../helpers/deployment.js';
import { environment } from '../../helpers/environment.js';
import { watchAmqp, type AmqpWatch } from './amqp-watch.js';
import { HttpClient } from './http.js';
import { heldBy, MemoryHistory, type Held } from './resources.js';
import { FuzzRun } from './run.js';

/** Memory is compared between these parts of a run. */
const AFTER_WARM_UP = [0.25, 0.5] as const;
const AT_THE_END = [0.75, 1] as const;
/** Expiry of reply queues that are never polled. */
export const EXPIRY_MS = 5_000;

export interface Watched {
  readonly name: string;
  readonly pid: number;
  readonly memory: MemoryHistory;
  /** Resources before the first input. */
  readonly atFirst: Held;
}

export interface World {
  /** A service without workers: programs cost nothing, and its queue is usually full. */
  readonly front: Deployment;
  readonly frontClient: HttpClient;
  readonly frontPort: number;
  readonly frontWatch: AmqpWatch;
  /** A service with a worker, for arbitrary messages in its queues. */
  readonly back: Deployment;
  readonly backClient: HttpClient;
  readonly backWatch: AmqpWatch;
  readonly broker: Broker;
  readonly channel: ConfirmChannel;
  readonly replies: ReplyReader;
  readonly watched: readonly Watched[];
  readonly run: FuzzRun;
  /** Identifiers of the programs that the front service accepted. */
  readonly accepted: string[];
  /** Purges the front service's queue. */
  empty: () => Promise<void>;
  processes: () => FuzzedProcess[];
  close: () => Promise<void>;
}

export async function openWorld(): Promise<World> {
  const [frontWatch, backWatch] = await Promise.all([
    watchAmqp(environment('AMQP_URL')),
    watchAmqp(environment('AMQP_URL')),
  ]);
  const front = await deploy({
    widgets: 1,
    workers: 0,
    env: { AMQP_URL: frontWatch.url, WAITING_TASKS: '20', REPLY_EXPIRY_MS: String(EXPIRY_MS) },
  });
  // The maximum number of slots, since a worker holds a message of a later version for seconds, up to ten times.
  const back = await deploy({
    widgets: 1,
    workers: 1,
    env: { AMQP_URL: backWatch.url, CONCURRENCY: String(MAX_CONCURRENCY), REPLY_EXPIRY_MS: '60000' },
  });
  const broker = await connectTo(back.namespace, { REPLY_EXPIRY_MS: 60_000 });
  const channel = await broker.openConfirmChannel();
  const direct: ChannelModel = await connect(environment('AMQP_URL'));
  const purging = await direct.createChannel();

  const watch = (name: string, pid: number | undefined): Watched => {
    if (pid === undefined) throw new Error(`${name} has no process`);
    return { name, pid, memory: new MemoryHistory(pid), atFirst: heldBy(pid) };
  };
  const watched = [
    watch('widget', front.widgets[0]?.process.pid),
    watch('widget of replies', back.widgets[0]?.process.pid),
    watch('worker', back.workers[0]?.pid),
  ];
  const frontBase = front.widgets[0]?.base ?? '';
  const [frontClient, backClient] = [new HttpClient(frontBase), new HttpClient(back.widgets[0]?.base ?? '')];

  return {
    front,
    frontClient,
    frontPort: Number(new URL(frontBase).port),
    frontWatch,
    back,
    backClient,
    backWatch,
    broker,
    channel,
    replies: createReplyReader(broker),
    watched,
    run: new FuzzRun((share) => watched.forEach(({ memory }) => memory.sample(share))),
    accepted: [],
    empty: async () => void (await purging.purgeQueue(`${front.namespace}.tasks`)),
    processes: () =>
      watched.map(({ name, pid, memory, atFirst }) => ({
        name,
        mebibytes: [memory.least(...AFTER_WARM_UP), memory.least(...AT_THE_END), memory.most()],
        files: [atFirst.files, heldBy(pid).files],
      })),
    async close() {
      frontClient.close();
      backClient.close();
      await direct.close();
      await broker.close();
      await front.end();
      await back.end();
      frontWatch.close();
      backWatch.close();
    },
  };
}
