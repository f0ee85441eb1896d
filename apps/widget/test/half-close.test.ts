/** A client may close its sending side after its request and still read the answer. */
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { ReplyReader } from '@code-widgets/broker';

import type { AppDependencies } from '../src/app.js';
import { eventually } from '../../../test/helpers/eventually.js';
import { repliesOf } from './app-with.js';
import {
  closeConnections,
  HEAD,
  JSON_RUN,
  LENGTH,
  listening,
  open,
  parse,
  POLL,
  SOON,
  SOON_MS,
  untilAlone,
} from './raw-connections.js';

jest.setTimeout(60_000);
afterEach(closeConnections);

const RUN_REQUEST = `${HEAD}${LENGTH}${JSON_RUN}`;
const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
/** The broker responds after the client has closed its sending side. */
const SLOW: Pick<AppDependencies, 'tasks' | 'replies'> = {
  tasks: { submit: () => sleep(50), load: () => Promise.resolve({ waiting: 0, slots: 0 }) },
  replies: { poll: async (...each) => (await sleep(50), repliesOf([]).poll(...each)) },
};
const STATUS = /HTTP\/1\.1 \d+/g;

describe('a client that closes its sending side after the request', () => {
  it.each<[string, string, string[]]>([
    ['a run', RUN_REQUEST, ['200']],
    ['a poll', POLL, ['200']],
    ['a download', RUN_REQUEST.replace('run_program', 'download'), ['200']],
    ['a health check', GET, ['200']],
    ['a request of HTTP/1.0', RUN_REQUEST.replace('HTTP/1.1', 'HTTP/1.0'), ['200']],
    [
      'a request in chunks',
      `${HEAD}Transfer-Encoding: chunked\r\n\r\n${JSON_RUN.length.toString(16)}\r\n${JSON_RUN}\r\n0\r\n\r\n`,
      ['200'],
    ],
    ['several requests', `${RUN_REQUEST}${GET}${POLL}`, ['200', '200', '200']],
    ['a wrong path', GET.replace('GET /', 'GET /nowhere/'), ['404']],
    ['half a request', RUN_REQUEST.slice(0, -5), ['400']],
    ['no HTTP', 'hello\r\n\r\n', ['400']],
    ['a body over the limit', `${HEAD}Content-Length: 9000000\r\n\r\n${'x'.repeat(9_000_000)}`, ['413']],
    ['nothing', '', []],
  ])('gets its answer before the connection closes: %s', async (_, request, statuses) => {
    const { app } = await listening(SLOW);
    const { socket, closed } = await open(app);
    socket.end(request);
    const { text, ms } = await closed;
    expect(text.match(STATUS)?.map((line) => line.slice(-3)) ?? []).toEqual(statuses);
    expect(ms).toBeLessThan(SOON_MS);
    await untilAlone(app);
  });

  it('gets the identifier of its task', async () => {
    const { app, submitted } = await listening();
    const { socket, closed } = await open(app);
    socket.end(RUN_REQUEST);
    expect(parse((await closed).text).body).toEqual({ identifier: submitted[0]?.identifier, message: 'Pending' });
  });

  it('gets a slow answer, also if it closes later', async () => {
    const { app } = await listening({
      replies: { poll: async (...each) => (await sleep(300), repliesOf([]).poll(...each)) },
    });
    for (const laterMs of [0, 100]) {
      const { socket, closed } = await open(app);
      socket.write(POLL);
      await sleep(laterMs);
      socket.end();
      expect(parse((await closed).text).status).toBe(200);
    }
  });

  it('gets its answer on a reused connection', async () => {
    const { app } = await listening();
    const { socket, text, closed } = await open(app);
    socket.write(GET);
    await eventually('the first request is answered', () => text().includes('OK'), SOON);
    socket.end(RUN_REQUEST);
    expect((await closed).text.match(STATUS)).toHaveLength(2);
  });

  it('is delayed like any client if it polls too soon, and then answered', async () => {
    const { app } = await listening({ pollWaitMs: 1 });
    let sentBefore = -Infinity;
    for (let i = 0; i < 3; i++) {
      const { socket, closed } = await open(app);
      const sent = performance.now();
      socket.end(POLL);
      expect(parse((await closed).text).status).toBe(200);
      // Measured from the previous poll's request, so a slow machine only makes this longer.
      expect(performance.now() - sentBefore).toBeGreaterThan(45);
      sentBefore = sent;
    }
  });
});

describe('a long poll', () => {
  /** A reader whose polls end when the wait is aborted; counts the waiting polls. */
  function waiting(): { replies: ReplyReader; count: () => number } {
    let count = 0;
    const poll: ReplyReader['poll'] = async (_, read, patience) => {
      count++;
      const { signal } = patience ?? {};
      if (signal && !signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      count--;
      return read([], []).result;
    };
    return { replies: { poll }, count: () => count };
  }

  it.each(['before', 'while'])(
    'is answered at once for a client that closed its sending side %s the wait',
    async (when) => {
      const { replies, count } = waiting();
      const { app } = await listening({ pollWaitMs: 2000, replies });
      const { socket, closed } = await open(app);
      socket.write(POLL);
      if (when === 'while') await eventually('the poll waits', () => count() === 1, SOON);
      socket.end();
      expect(parse((await closed).text)).toMatchObject({ status: 200, body: { output: [], completed: false } });
      await untilAlone(app);
    },
  );

  it.each(['destroy', 'resetAndDestroy'] as const)('ends when its client disconnects: %s', async (way) => {
    const { replies, count } = waiting();
    const { app } = await listening({ pollWaitMs: 2000, replies });
    const { socket } = await open(app);
    socket.write(POLL);
    await eventually('the poll waits', () => count() === 1, SOON);
    socket[way]();
    await eventually('the poll is over', () => count() === 0, SOON);
    await untilAlone(app);
  });
});

describe('a client that has closed its sending side and reads no answer is disconnected', () => {
  it.each([
    ['nothing is transferred', { stillMs: 300 }],
    ['the exchange takes too long', { exchangeMs: 300 }],
  ])('when %s', async (_, serverLimits) => {
    const items = Array.from({ length: 32 }, () => ({
      msg: { type: 'stdout' as const, data: 'x'.repeat(1024 * 1024) },
    }));
    const { app } = await listening({
      replies: repliesOf([{ version: 1, kind: 'output', attempt: 1, first: 1, items }]),
      serverLimits,
    });
    const { socket } = await open(app);
    socket.pause();
    socket.end(POLL);
    await untilAlone(app);
  });
});
