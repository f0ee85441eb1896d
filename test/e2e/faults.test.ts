import { afterEach, describe, expect, it } from '@jest/globals';
import type { CheckOutputAnswer } from '@code-widgets/protocol';
import { connect } from 'amqplib';

import { engineOptions } from '../../packages/sandbox/src/docker-runtime.js';
import { collect, poll, post, submit, text } from '../helpers/client.js';
import { messagesIn } from '../helpers/broker.js';
import { brokerProxy } from '../helpers/broker-proxy.js';
import { containersOf, deploy, stop, type Deployment, type DeploymentOptions } from '../helpers/deployment.js';
import { environment } from '../helpers/environment.js';
import { eventually } from '../helpers/eventually.js';
import { tcpProxy } from '../helpers/tcp-proxy.js';

let service: Deployment;
afterEach(() => service.end(), 60_000);
const start = async (options: DeploymentOptions) => {
  service = await deploy(options);
};

/** Prints a number every 0.1 s, `count` times. */
const counter = (count: number) => ({
  mode: 'run',
  files: [
    {
      basename: 'main.c',
      contents: `#include <stdio.h>\n#include <unistd.h>\nint main(void) { for (int i = 1; i <= ${count}; i++) { printf("%d\\n", i); fflush(stdout); usleep(100000); } return 0; }\n`,
    },
  ],
});
const counted = (count: number) =>
  `Build completed successfully.${Array.from({ length: count }, (_, i) => `${i + 1}\n`).join('')}`;
const NOTICE = /started again/;

const isNotice = ({ msg }: CheckOutputAnswer['output'][0]) => msg.type === 'stderr' && NOTICE.test(msg.data);

/** Polls until the program's output has begun, or until a later attempt than `seen` has begun its output. */
async function begun(identifier: string, seen: CheckOutputAnswer['output'] = []): Promise<CheckOutputAnswer['output']> {
  const output = [...seen];
  const hasBegun = () => {
    const at = seen.length === 0 ? 0 : output.findIndex((item, i) => i >= seen.length && isNotice(item));
    return at >= 0 && /\n/.test(text({ output: output.slice(at) }, 'stdout'));
  };
  while (!hasBegun()) {
    output.push(...(await poll(service.base, identifier, output.length)).output);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return output;
}

/**
 * Splits the output at the restart notice: items before it, and the program's text after it.
 * Without a notice, all text counts as after it.
 */
function split(output: CheckOutputAnswer['output']) {
  const notices = output.flatMap((item, i) => (isNotice(item) ? [i] : []));
  expect(notices.length).toBeLessThanOrEqual(1);
  const at = notices[0] ?? -1;
  return {
    before: output.slice(0, Math.max(0, at)),
    after: text({ output: output.slice(at + 1) }, 'stdout'),
    told: at >= 0,
  };
}
const firstWorker = () => service.workers[0] as (typeof service.workers)[0];

describe('a worker that is told to stop', () => {
  it('finishes its task', async () => {
    await start({ widgets: 1, workers: 1 });
    const identifier = await submit(service.base, counter(15));
    const seen = await begun(identifier);
    const [code, { output }] = await Promise.all([stop(firstWorker()), collect(service.base, identifier, { seen })]);
    expect(code).toBe(0);
    expect(split(output)).toEqual({ before: [], after: counted(15), told: false });
  }, 60_000);

  it('requeues its task after the grace period, and another worker starts it again', async () => {
    await start({ widgets: 1, workers: 1, env: { SHUTDOWN_GRACE_MS: '500' } });
    const identifier = await submit(service.base, counter(40));
    const seen = await begun(identifier);
    expect(await stop(firstWorker())).toBe(0);
    await service.addWorker();
    const { before, after } = split((await collect(service.base, identifier, { seen })).output);
    expect(before.slice(0, seen.length)).toEqual(seen);
    expect(counted(40)).toContain(text({ output: before }, 'stdout'));
    expect(after).toBe(counted(40));
  }, 60_000);
});

describe('workers that are stopped one after the other', () => {
  it('requeue the same task each time without losing it', async () => {
    await start({ widgets: 1, workers: 1, env: { SHUTDOWN_GRACE_MS: '100' } });
    const identifier = await submit(service.base, counter(20));
    let seen: CheckOutputAnswer['output'] = [];
    for (let deploy = 1; deploy <= 4; deploy++) {
      seen = await begun(identifier, seen);
      expect(await stop(service.workers.at(-1) as (typeof service.workers)[0])).toBe(0);
      await service.addWorker();
    }
    const { output, status, message } = await collect(service.base, identifier, { seen });
    expect({ status, message }).toEqual({ status: 0, message: 'SUCCESS' });
    expect(output.filter(isNotice)).toHaveLength(4);
    expect(text({ output: output.slice(output.findLastIndex(isNotice) + 1) }, 'stdout')).toBe(counted(20));
    const given = service.log().filter(({ outcome }) => outcome === 'retry');
    expect(given).toHaveLength(4);
    for (const { buildMs, runMs, queuedMs } of given) {
      expect(Number(buildMs) + Number(runMs)).toBeGreaterThan(0);
      expect(Number(queuedMs)).toBeGreaterThanOrEqual(0);
    }
  }, 90_000);
});

describe('a worker that is killed', () => {
  it('delays its task, which runs again and ends once', async () => {
    await start({ widgets: 2, workers: 1 });
    const identifier = await submit(service.base, counter(25));
    const seen = await begun(identifier);
    await stop(firstWorker(), 'SIGKILL');
    await service.addWorker();
    const { output } = await collect(service.base, identifier, { seen });
    const { before, after } = split(output);
    expect(before.slice(0, seen.length)).toEqual(seen);
    expect(counted(25)).toContain(text({ output: before }, 'stdout'));
    expect(after).toBe(counted(25));
    expect(await poll(service.base, identifier, output.length)).toEqual({
      output: [],
      completed: true,
      status: 0,
      message: 'SUCCESS',
    });
  }, 60_000);

  it('leaves containers that another worker removes soon', async () => {
    await start({ widgets: 1, workers: 2, env: { SWEEP_INTERVAL_MS: '1000', PREPARED_CONTAINERS: '0' } });
    const identifier = await submit(service.base, counter(30));
    await begun(identifier);
    for (const worker of service.workers) worker.kill('SIGKILL');
    await service.addWorker();
    // Another worker removes a container once no live worker can own it: 10 s after its end at most. \n The
    // build's container may still be there beside the program's.
    const swept = () => service.log().some(({ leftovers }) => leftovers === 1 || leftovers === 2);
    await eventually('a worker has removed the leftovers', swept, { limitMs: 40_000, everyMs: 200 });
    await collect(service.base, identifier);
    // The other worker removes its own container right after the task, when it has time.
    await eventually('no container is left', async () => (await containersOf(service.namespace)) === 0, {
      limitMs: 5_000,
      everyMs: 100,
    });
  }, 60_000);

  it('causes no restart notice if the client had received nothing yet', async () => {
    await start({ widgets: 1, workers: 1 });
    const identifier = await submit(service.base, counter(30));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await stop(firstWorker(), 'SIGKILL');
    await service.addWorker();
    const isDone = () => service.log().some((line) => line.identifier === identifier && line.outcome === 'success');
    await eventually('the task has ended', isDone, { limitMs: 50_000, everyMs: 100 });
    expect(service.log().find((line) => line.outcome === 'success')).toMatchObject({ identifier, attempt: 2 });
    expect(split((await collect(service.base, identifier)).output)).toEqual({
      before: [],
      after: counted(30),
      told: false,
    });
  }, 60_000);
});

describe('a task that kills every worker', () => {
  it('is tried three times, then answers 500 and is dead-lettered', async () => {
    await start({ widgets: 2, workers: 1 });
    const identifier = await submit(service.base, counter(80));
    let seen: CheckOutputAnswer['output'] = [];
    for (let attempt = 1; attempt <= 3; attempt++) {
      seen = await begun(identifier, seen);
      await stop(service.workers.at(-1) as (typeof service.workers)[0], 'SIGKILL');
      await service.addWorker();
    }
    const failure = () => service.log().find((line) => line.identifier === identifier && line.outcome === 'failure');
    const ended = await eventually('the task is given up', failure, { limitMs: 20_000, everyMs: 100 });
    expect(ended).toMatchObject({ attempt: 4, mode: 'run', buildMs: 0, runMs: 0 });
    expect(Number(ended.queuedMs)).toBeGreaterThan(0);
    for (let i = 0; i < 3; i++) {
      const { status, body } = await post(service.base, '/check_output/', { identifier, read: 0 });
      expect([status, body]).toEqual([500, expect.objectContaining({ error: 'Internal Server Error' })]);
    }
    expect(await messagesIn(`${service.namespace}.dead`)).toBe(1);
  }, 60_000);
});

describe('a lost connection to the broker', () => {
  it('costs a run one attempt, and widgets and workers reconnect', async () => {
    const { proxy, AMQP_URL } = await brokerProxy();
    await start({ widgets: 2, workers: 2, env: { AMQP_URL } });

    const identifier = await submit(service.base, counter(25));
    const seen = await begun(identifier);
    proxy.open = false;
    proxy.cut();
    // Neither request reaches the broker: both get 503 instead of an internal error.
    const refused = await Promise.all([
      post(service.base, '/check_output/', { identifier, read: 0 }),
      post(service.base, '/run_program/', { ...counter(1), name: 'x', lab: false }),
    ]);
    expect(refused.map(({ status }) => status)).toEqual([503, 503]);
    for (const { headers } of refused) expect(headers.get('retry-after')).toMatch(/^\d+$/);
    proxy.open = true;

    const isBack = async () =>
      (await post(service.base, '/check_output/', { identifier, read: seen.length })).status === 200;
    await eventually('polls are answered again', isBack, { limitMs: 5000 });
    const { output } = await collect(service.base, identifier, { seen });
    const { before, after } = split(output);
    expect(before.slice(0, seen.length)).toEqual(seen);
    expect(after).toBe(counted(25));
    expect(text(await collect(service.base, await submit(service.base, counter(2))), 'stdout')).toBe(counted(2));
    proxy.close();
  }, 60_000);
});

describe('a connection to the broker that is lost repeatedly', () => {
  it('uses up no attempts, since the worker is still alive', async () => {
    const { proxy, AMQP_URL } = await brokerProxy();
    await start({ widgets: 1, workers: 2, envOf: { worker: { AMQP_URL } } });
    const identifier = await submit(service.base, counter(20));
    for (let outage = 1; outage <= 5; outage++) {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      proxy.cut();
    }
    expect(split((await collect(service.base, identifier)).output).after).toBe(counted(20));
    expect(service.log().filter(({ outcome }) => outcome === 'retry').length).toBeGreaterThanOrEqual(3);
    proxy.close();
  }, 90_000);

  it('is noticed long before a missed heartbeat if it is half open', async () => {
    const { proxy, AMQP_URL } = await brokerProxy({ heartbeat: '60' });
    await start({ widgets: 2, workers: 1, env: { AMQP_URL } });
    const identifier = await submit(service.base, counter(30));
    await begun(identifier);
    proxy.halfOpen();
    const answers = async () => (await post(service.base, '/check_output/', { identifier, read: 0 })).status === 200;
    await eventually('polls are answered again', answers, { limitMs: 30_000 });
    expect(split((await collect(service.base, identifier)).output).after).toBe(counted(30));
    proxy.close();
  }, 90_000);
});

describe('a broker that does not respond', () => {
  it('keeps no process from stopping', async () => {
    const { proxy, AMQP_URL } = await brokerProxy();
    await start({ widgets: 1, workers: 1, env: { AMQP_URL, SHUTDOWN_GRACE_MS: '500' } });
    await begun(await submit(service.base, counter(40)));
    proxy.silence();
    const began = Date.now();
    const codes = await Promise.all([
      stop(firstWorker()),
      stop((service.widgets[0] as (typeof service.widgets)[0]).process),
    ]);
    // Sooner than the process notices the silence.
    expect(Date.now() - began).toBeLessThan(15_000);
    expect(codes).toEqual([0, 0]);
    proxy.close();
  }, 60_000);
});

describe('an engine that loses connections', () => {
  it('delays a task and uses up none of its attempts', async () => {
    const { socketPath, host, port } = engineOptions(
      process.env.DOCKER_HOST ? { dockerHost: process.env.DOCKER_HOST } : {},
    );
    const proxy = await tcpProxy(
      socketPath === undefined ? { host: String(host), port: Number(port) } : { path: String(socketPath) },
    );
    await start({ widgets: 1, workers: 1, env: { DOCKER_HOST: `tcp://127.0.0.1:${proxy.port}` } });
    const identifier = await submit(service.base, counter(20));
    for (let outage = 1; outage <= 4; outage++) {
      do {
        await new Promise((resolve) => setTimeout(resolve, 500));
        proxy.cut();
      } while (service.log().filter(({ outcome }) => outcome === 'retry').length < outage);
    }
    expect(split((await collect(service.base, identifier)).output).after).toBe(counted(20));
    // After the worker has removed its warm containers from the engine.
    await stop(firstWorker());
    proxy.close();
  }, 90_000);
});

describe('a worker that is suspended for longer than its time limit', () => {
  it('reads the pending output and reports no timeout', async () => {
    const slow = new URL(environment('AMQP_URL'));
    slow.searchParams.set('heartbeat', '60');
    await start({ widgets: 1, workers: 1, env: { AMQP_URL: slow.href, RUN_LIMIT_MS: '2000' } });
    const identifier = await submit(service.base, counter(10));
    const seen = await begun(identifier);
    firstWorker().kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 14_000));
    firstWorker().kill('SIGCONT');
    const { output, status } = await collect(service.base, identifier, { seen });
    expect(split(output)).toEqual({ before: [], after: counted(10), told: false });
    expect(status).toBe(0);
  }, 60_000);
});

describe('a widget', () => {
  it('that is killed can be replaced by any other', async () => {
    await start({ widgets: 2, workers: 1 });
    const identifier = await submit((service.widgets[0] as (typeof service.widgets)[0]).base, counter(10));
    await stop((service.widgets[0] as (typeof service.widgets)[0]).process, 'SIGKILL');
    const result = await collect((service.widgets[1] as (typeof service.widgets)[0]).base, identifier);
    expect(text(result, 'stdout')).toBe(counted(10));
  }, 60_000);

  it('that is told to stop answers its open requests', async () => {
    await start({ widgets: 1, workers: 0 });
    const [widget] = service.widgets as [(typeof service.widgets)[0]];
    const identifier = await submit(widget.base, counter(1));
    // A poll waits while another consumer holds the reply queue, so it is open when the signal arrives.
    const connection = await connect(environment('AMQP_URL'));
    const channel = await connection.createChannel();
    await channel.consume(`${service.namespace}.reply.${identifier}`, () => undefined, { exclusive: true });
    let answered = false;
    const polled = post(widget.base, '/check_output/', { identifier, read: 0 }).finally(() => (answered = true));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const code = stop(widget.process);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(answered).toBe(false);
    await connection.close();
    expect(await polled).toMatchObject({ status: 200, body: { completed: false } });
    expect(await code).toBe(0);
  }, 60_000);

  it('without a broker starts and answers 503 within 5 seconds', async () => {
    await start({ widgets: 1, workers: 0, env: { AMQP_URL: 'amqp://127.0.0.1:9' } });
    const before = Date.now();
    const { status, headers } = await post(service.base, '/run_program/', { ...counter(1), name: 'x', lab: false });
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toMatch(/^\d+$/);
    expect(Date.now() - before).toBeLessThan(5000);
    expect((await fetch(`${service.base}/`)).status).toBe(200);
  }, 30_000);

  it('refuses tasks over the queue limit and completes those that it accepted', async () => {
    await start({ widgets: 1, workers: 0, env: { WAITING_TASKS: '3' } });
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => post(service.base, '/run_program/', { ...counter(1), name: 'x', lab: false })),
    );
    const accepted = answers.filter(({ status }) => status === 200);
    const refused = answers.filter(({ status }) => status === 503);
    expect([accepted.length, refused.length]).toEqual([3, 9]);
    for (const { headers, body } of refused) {
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect(body).toMatchObject({ error: 'Service Unavailable' });
    }
    await service.addWorker();
    for (const { body } of accepted) {
      expect(text(await collect(service.base, (body as { identifier: string }).identifier), 'stdout')).toBe(counted(1));
    }
  }, 60_000);
});
