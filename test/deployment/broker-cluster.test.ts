/** Kills one of three broker nodes under load and checks the guarantees in docs/deployment.md. */
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CheckOutputAnswer, OutputItem } from '@code-widgets/protocol';

import { startBrokerCluster, type BrokerCluster } from '../helpers/broker-cluster.js';
import { post, text } from '../helpers/client.js';
import { deploy, type Deployment } from '../helpers/deployment.js';
import { eventually } from '../helpers/eventually.js';

/** Prints a number every 0.1 s for two seconds. */
const program = {
  ...{ mode: 'run', name: 'Demo', switches: {}, lab: false },
  files: [
    {
      basename: 'main.c',
      contents:
        '#include <stdio.h>\n#include <unistd.h>\nint main(void) { for (int i = 1; i <= 20; i++) { printf("%d\\n", i); fflush(stdout); usleep(100000); } return 0; }\n',
    },
  ],
};
const NUMBERS = Array.from({ length: 20 }, (_, i) => `${i + 1}\n`).join('');
/** Time limit for expected events on a slow machine. */
const WAIT_MS = 90_000;

let cluster: BrokerCluster;
let service: Deployment;

beforeAll(async () => {
  cluster = await startBrokerCluster();
  service = await deploy({ widgets: 3, workers: 2, namespace: cluster.namespace, envOf: cluster.settings });
}, 10 * 60_000);
afterAll(async () => {
  await service.end();
  await cluster.end();
}, 120_000);

/** Sends a request as a patient page does: repeats it while the service answers 503, and reports each 503. */
async function ask(
  path: string,
  body: unknown,
  onRefusal: (retryAfter: string | null) => void = () => undefined,
): Promise<unknown> {
  const { body: answered } = await eventually(
    `${path} is not refused any more`,
    async () => {
      const answer = await post(service.base, path, body);
      if (answer.status === 200) return answer;
      if (answer.status !== 503) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      onRefusal(answer.headers.get('retry-after'));
      return undefined;
    },
    { limitMs: WAIT_MS, everyMs: 250 },
  );
  return answered;
}

class Task {
  /** The Retry-After headers received. */
  readonly refusals: (string | null)[] = [];
  readonly output: OutputItem[] = [];
  end: CheckOutputAnswer | undefined;
  readonly followed: Promise<void>;

  constructor(readonly identifier: string) {
    this.followed = this.follow();
  }

  private async follow(): Promise<void> {
    while (!this.end) {
      const body = { identifier: this.identifier, read: this.output.length };
      const answer = (await ask('/check_output/', body, (after) => this.refusals.push(after))) as CheckOutputAnswer;
      this.output.push(...answer.output);
      if (answer.completed) this.end = answer;
      await sleep(100);
    }
  }
}

const begin = async () => new Task(((await ask('/run_program/', program)) as { identifier: string }).identifier);
const beginMany = (count: number) => Promise.all(Array.from({ length: count }, begin));

const untilEnded = (tasks: Task[]) =>
  eventually('the tasks have ended', () => tasks.every(({ end }) => end !== undefined), {
    limitMs: WAIT_MS,
    everyMs: 100,
  });

describe('a broker of three nodes', () => {
  it('replicates each task and each dead letter to all nodes', async () => {
    for (const queue of ['tasks', 'dead']) expect(await cluster.membersOf(`${cluster.namespace}.${queue}`)).toBe(3);
  }, 30_000);

  it('keeps all accepted tasks when a node is killed under load, and its replies when it is back', async () => {
    const before = await beginMany(24);
    const homes = await cluster.homes();
    const homeOf = ({ identifier }: Task) => homes.get(`${cluster.namespace}.reply.${identifier}`);
    const underWay = before.filter(({ end }) => end === undefined);
    const lost = String(homeOf(underWay.at(-1) as Task));
    await cluster.kill(lost);
    const elsewhere = before.filter((task) => homeOf(task) !== lost);
    expect(elsewhere.length).toBeGreaterThan(0);

    await untilEnded([...elsewhere, ...(await beginMany(4))]);
    // A page gets 503, never 404. A final message that a poll already held when the node was killed is still
    // delivered.
    const there = underWay.filter((task) => task.end === undefined && homeOf(task) === lost);
    expect(there.length).toBeGreaterThan(0);
    const areRefused = () => there.every(({ refusals }) => refusals.length > 1);
    // After the timeout, the expectations show each page's answers.
    await eventually('each page is refused again', areRefused, { limitMs: WAIT_MS, everyMs: 100 }).catch(
      () => undefined,
    );
    const told = there.map(({ refusals, end }) => ({ end, more: refusals.length > 1, last: refusals.at(-1) }));
    for (const each of told) expect(each).toEqual({ end: undefined, more: true, last: expect.stringMatching(/^\d+$/) });

    await cluster.start(lost);
    await untilEnded(before);
    await Promise.all(before.map(({ followed }) => followed));
    for (const { output, end } of before) {
      expect([end?.status, end?.message]).toEqual([0, 'SUCCESS']);
      // A restarted run shows the notice and then its complete output.
      const again = output.findLastIndex(({ msg }) => msg.type === 'stderr' && /started again/.test(msg.data));
      expect(text({ output: output.slice(again + 1) }, 'stdout')).toContain(NUMBERS);
    }
  }, 300_000);
});
