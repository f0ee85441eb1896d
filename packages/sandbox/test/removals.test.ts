import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { LIFETIME_LABEL, NAMESPACE_LABEL } from '../src/container-options.js';
import { createDockerRuntime } from '../src/docker-runtime.js';
import { IdleGate } from '../src/idle-gate.js';
import { findLeftovers } from '../src/leftovers.js';
import { RETIRED_MOST, RETIREMENT_MS } from '../src/limits.js';
import { Removals } from '../src/removals.js';

let server: Server | undefined;
afterEach(() => {
  server?.close();
});

/** An engine with scripted responses, for faults that a real one cannot produce on demand. */
async function fakeEngine(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  server = createServer(answer);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  return createDockerRuntime({ dockerHost: `tcp://127.0.0.1:${typeof address === 'object' ? address?.port : ''}` });
}

describe('a removal', () => {
  it.each([[204], [404], [409]])('succeeds when the engine answers %i', async (status) => {
    const paths: string[] = [];
    const runtime = await fakeEngine(({ method, url }, response) => {
      paths.push(`${method} ${url}`);
      response.writeHead(status).end();
    });
    const removals = new Removals(runtime, new IdleGate(), { warn: () => undefined });
    expect(await removals.remove('a')).toBe(true);
    expect(paths).toEqual(['DELETE /containers/a?force=true&v=true']);
  });

  it('is retried, and awaited on close', async () => {
    const statuses = [500, 500, 204];
    const runtime = await fakeEngine((_, response) => response.writeHead(statuses.shift() ?? 500).end('{}'));
    const removals = new Removals(runtime, new IdleGate(), { warn: () => undefined });
    void removals.remove('a');
    await removals.settled();
    expect(statuses).toEqual([]);
  });
});

describe('a retired container', () => {
  /** An engine and its removals during a step; `removed` lists the names in order. */
  async function atWork() {
    const removed: string[] = [];
    const runtime = await fakeEngine(({ url = '' }, response) => {
      removed.push(/containers\/(\w+)/.exec(url)?.[1] ?? '');
      response.writeHead(204).end();
    });
    const idle = new IdleGate();
    let endStep = (): void => undefined;
    void idle.during(() => new Promise<void>((resolve) => (endStep = resolve)));
    return { removed, removals: new Removals(runtime, idle, { warn: () => undefined }), endStep };
  }

  it('is removed once no step is active', async () => {
    const { removed, removals, endStep } = await atWork();
    const retiring = removals.retire('a');
    await delay(200);
    expect(removed).toEqual([]);
    endStep();
    expect(await retiring).toBe(true);
    expect(removed).toEqual(['a']);
  });

  it('is removed after a timeout even during a step', async () => {
    const { removals } = await atWork();
    const began = performance.now();
    expect(await removals.retire('a')).toBe(true);
    expect(performance.now() - began).toBeGreaterThanOrEqual(RETIREMENT_MS);
  });

  it('is removed sooner if too many wait', async () => {
    const { removed, removals } = await atWork();
    const names = Array.from({ length: RETIRED_MOST + 2 }, (_, i) => `c${i}`);
    const retiring = names.map((name) => removals.retire(name));
    await Promise.all(retiring.slice(0, 2));
    expect(removed.toSorted()).toEqual(['c0', 'c1']);
    await removals.settled();
  });

  it('is removed at once on close', async () => {
    const { removed, removals } = await atWork();
    void removals.retire('a');
    const began = performance.now();
    await removals.settled();
    expect(removed).toEqual(['a']);
    expect(performance.now() - began).toBeLessThan(RETIREMENT_MS / 2);
  });
});

describe('a container that could not be removed', () => {
  it('is logged once', async () => {
    const runtime = await fakeEngine((_, response) => response.writeHead(500).end('{}'));
    const warnings: string[] = [];
    const removals = new Removals(runtime, new IdleGate(), { warn: (_, message) => warnings.push(message) }, [10, 10]);
    expect(await removals.remove('a')).toBe(false);
    expect(warnings).toEqual(['a container could not be removed']);
  });
});

describe('the removal of a container whose creation got no response', () => {
  it('is retried, since the container may appear later', async () => {
    const statuses = [404, 204, 404];
    const runtime = await fakeEngine((_, response) => response.writeHead(statuses.shift() ?? 500).end('{}'));
    const removals = new Removals(runtime, new IdleGate(), { warn: () => undefined });
    void removals.removeOnceMade('a');
    await removals.settled();
    expect(statuses).toEqual([]);
  });
});

describe('a leftover', () => {
  const nowS = 2_000_000;
  const date = (seconds: number) => new Date(seconds * 1000).toISOString();

  async function leftoversOf(containers: Record<string, { State: string; age: number; endedAgo?: number }>) {
    const runtime = await fakeEngine(({ url = '' }, response) => {
      const id = /^\/containers\/(\w+)\/json/.exec(url)?.[1];
      const list = Object.entries(containers).map(([Id, { State, age }]) => ({
        Id,
        State,
        Created: nowS - age,
        Labels: { [NAMESPACE_LABEL]: 'here', [LIFETIME_LABEL]: '100' },
      }));
      const ended = date(nowS - (containers[id ?? '']?.endedAgo ?? 0));
      const body = url.startsWith('/info')
        ? { SystemTime: date(nowS) }
        : id === 'json' || id === undefined
          ? list
          : { Image: 'sha256:1', RestartCount: 0, State: { Running: false, FinishedAt: ended } };
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    });
    return findLeftovers(runtime, 'here');
  }

  it("is older than its lifetime by the engine's clock, in any state", async () => {
    const old = { running: { State: 'running', age: 101 }, created: { State: 'created', age: 101 } };
    expect(await leftoversOf(old)).toEqual(['running', 'created']);
  });

  it('is not a container that a live worker may still need', async () => {
    const live = {
      running: { State: 'running', age: 99 },
      created: { State: 'created', age: 99 },
      exited: { State: 'exited', age: 99, endedAgo: 5 },
    };
    expect(await leftoversOf(live)).toEqual([]);
  });

  it('ended some time ago', async () => {
    expect(await leftoversOf({ exited: { State: 'exited', age: 30, endedAgo: 15 } })).toEqual(['exited']);
  });
});
