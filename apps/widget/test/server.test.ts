import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, describe, expect, it, jest } from '@jest/globals';
import type { ReplyMessage } from '@code-widgets/protocol';
import { pino } from 'pino';

import { eventually } from '../../../test/helpers/eventually.js';
import { appWith, repliesOf } from './app-with.js';
import {
  closeConnections,
  HEAD,
  JSON_RUN,
  LENGTH,
  listening,
  open,
  parse,
  POLL,
  send,
  SOON,
  SOON_MS,
  trickle,
  untilAlone,
} from './raw-connections.js';

jest.setTimeout(60_000);

/** More than the system buffers for a client that does not read. */
const MUCH: ReplyMessage = {
  version: 1,
  kind: 'output',
  attempt: 1,
  first: 1,
  items: Array.from({ length: 32 }, () => ({ msg: { type: 'stdout' as const, data: 'x'.repeat(1024 * 1024) } })),
};

// Not after each test, since the slow tests run in parallel.
afterAll(closeConnections);

describe('a slow request times out:', () => {
  it.concurrent.each<[string, string, string]>([
    ['its headers', '', 'GET / HTTP/1.1\r\nX: '],
    ['its body', `${HEAD}${LENGTH}`, JSON_RUN],
    ['its body in chunks', `${HEAD}Transfer-Encoding: chunked\r\n\r\n`, '1\r\n{\r\n'.repeat(20)],
    ['a second request', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'GET / HTTP/1.1\r\nX: '],
  ])('%s', async (_, atOnce, slowly) => {
    const { app, submitted } = await listening({ serverLimits: { headersMs: 500, requestMs: 500 } });
    const connection = await open(app);
    connection.socket.write(atOnce);
    await trickle(connection, slowly + 'x'.repeat(100), 50);
    const { text, ms } = await connection.closed;
    const answer = parse(text.slice(text.lastIndexOf('HTTP/1.1')));
    expect(answer).toMatchObject({ status: 408, headers: { connection: 'close' }, body: { error: 'Request Timeout' } });
    expect(ms).toBeGreaterThan(400);
    expect(ms).toBeLessThan(SOON_MS);
    expect(submitted).toEqual([]);
  });

  it.concurrent('the rest of it is ignored', async () => {
    const { app, submitted } = await listening({ serverLimits: { headersMs: 200, requestMs: 200 } });
    const { socket, text, closed } = await open(app);
    socket.write(HEAD + LENGTH + JSON_RUN.slice(0, 5));
    await eventually('the request is answered with 408', () => text().includes('408'), SOON);
    socket.write(JSON_RUN.slice(5));
    expect((await closed).text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(submitted).toEqual([]);
  });

  it.concurrent('a connection without any data', async () => {
    const { app } = await listening({ serverLimits: { headersMs: 300 } });
    const all = await Promise.all(Array.from({ length: 50 }, () => open(app)));
    for (const { text } of await Promise.all(all.map(({ closed }) => closed))) expect(parse(text).status).toBe(408);
    await untilAlone(app);
  });
});

describe('a client that does not read its answer is disconnected', () => {
  it.concurrent('if it does not read', async () => {
    const { app } = await listening({ replies: repliesOf([MUCH]), serverLimits: { stillMs: 300 } });
    const { socket } = await open(app);
    socket.pause();
    socket.write(POLL);
    await untilAlone(app);
  });

  it.concurrent('if it reads very slowly', async () => {
    const { app } = await listening({ replies: repliesOf([MUCH]), serverLimits: { exchangeMs: 700 } });
    const { socket } = await open(app);
    socket.pause();
    socket.write(POLL);
    const reading = setInterval(() => void socket.read(65_536), 20);
    const ms = await untilAlone(app);
    clearInterval(reading);
    expect(ms).toBeGreaterThan(600);
    expect(ms).toBeLessThan(SOON_MS);
  });
});

it('an error response is not written into the middle of an answer', async () => {
  const { app } = await appWith();
  const answer = new PassThrough();
  app.get('/slow/', (_, reply) => reply.send(answer));
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { socket, text, closed } = await open(app);
  socket.write('GET /slow/ HTTP/1.1\r\nHost: x\r\n\r\n');
  answer.write('half of it');
  await eventually('half of the answer has come', () => text().includes('half of it'), SOON);
  socket.write('this is no request\r\n\r\n');
  expect((await closed).text).toMatch(/half of it\r\n$/);
});

describe('connections', () => {
  it.concurrent('are limited in number, and open ones still work', async () => {
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line) => void lines.push(line) });
    const { app } = await listening({ log, serverLimits: { connections: 2 } });
    const [first, second] = [await open(app), await open(app)];
    for (let i = 0; i < 5; i++) expect((await (await open(app)).closed).text).toBe('');
    expect(lines).toEqual([expect.stringMatching(/too many connections/)]);
    first.socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(parse((await first.closed).text).status).toBe(200);
    second.socket.destroy();
    await untilAlone(app);
    expect(parse(await send(app, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).status).toBe(200);
  });

  it.concurrent('may stay open for longer than one request may take', async () => {
    const { app } = await listening({ serverLimits: { headersMs: 500, requestMs: 500, exchangeMs: 500 } });
    const { socket, text } = await open(app);
    for (let i = 1; i <= 8; i++) {
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      await eventually(`request ${i} is answered`, () => text().match(/200 OK/g)?.length === i, SOON);
      await sleep(150);
    }
    expect(socket.destroyed).toBe(false);
  });
});

describe('an invalid or unsupported request gets an error in JSON:', () => {
  const get = (more: string) => `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`;
  it.each<[string, string, number]>([
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['a length and chunks', `${HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ['two lengths', `${HEAD}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`, 400],
    ['a negative length', `${HEAD}Content-Length: -1\r\n\r\n`, 400],
    ['an unsupported transfer encoding', `${HEAD}Transfer-Encoding: gzip\r\n\r\n`, 400],
    ['a chunk without a length', `${HEAD}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`, 400],
    ['a NUL in a header', get('X: a\0b\r\n'), 400],
    ['an endless line', `GET /${'a'.repeat(100_000)}`, 431],
    ['a header of two megabytes', get(`X: ${'x'.repeat(2_000_000)}\r\n`), 431],
    ['thousands of headers', get('a:\r\n'.repeat(3500)), 431],
    ['endless chunk extensions', `${HEAD}Transfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(100_000)}\r\n`, 413],
    ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['an invalid address', 'GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
    ['a long address', `GET /${'a'.repeat(10_000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 404],
    ['an expectation', get('Expect: wonders\r\n'), 417],
    ['a tunnel', 'CONNECT broker:5672 HTTP/1.1\r\nHost: broker:5672\r\n\r\n', 501],
  ])('%s', async (_, request, status) => {
    const { app } = await listening();
    const answer = parse(await send(app, request));
    expect(answer).toMatchObject({
      status,
      headers: {
        'access-control-allow-origin': '*',
        connection: 'close',
        'content-security-policy': "default-src 'none';frame-ancestors 'none'",
        'content-type': 'application/json; charset=utf-8',
        'cross-origin-resource-policy': 'cross-origin',
        'x-content-type-options': 'nosniff',
      },
    });
    expect(answer.body).toEqual({ error: expect.any(String), message: expect.stringMatching(/^.{10,80}$/) });
  });
});

it.each<[string, string, boolean]>([
  ['a tunnel', 'CONNECT broker:5672 HTTP/1.1\r\nHost: broker:5672\r\n\r\n', false],
  ['no HTTP', 'hello\r\n\r\n', false],
  ['half a request', HEAD + LENGTH, false],
  ['in the middle of an answer', POLL, true],
])('the server survives a connection reset: %s', async (_, request, waits) => {
  const { app } = await listening({ replies: repliesOf([MUCH]) });
  const { socket, text } = await open(app);
  socket.write(request);
  await eventually('the answer has begun', () => !waits || text() !== '', SOON);
  socket.resetAndDestroy();
  await untilAlone(app);
  expect(parse(await send(app, 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).status).toBe(200);
});

describe('a request is served', () => {
  it.each<[string, string]>([
    ['with HTTP/1.0', `POST /run_program/ HTTP/1.0\r\nContent-Type: application/json\r\n${LENGTH}${JSON_RUN}`],
    [
      'with the whole address',
      `POST http://x/run_program/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n${LENGTH}${JSON_RUN}`,
    ],
    ['that waits for 100 Continue', `${HEAD}Connection: close\r\nExpect: 100-continue\r\n${LENGTH}${JSON_RUN}`],
    [
      'in chunks',
      `${HEAD}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n${JSON_RUN.length.toString(16)};x=y\r\n${JSON_RUN}\r\n0\r\nTrailer: x\r\n\r\n`,
    ],
    [
      'that asks for a protocol upgrade',
      `${HEAD}Connection: close, Upgrade\r\nUpgrade: websocket\r\n${LENGTH}${JSON_RUN}`,
    ],
  ])('%s', async (_, request) => {
    const { app, submitted } = await listening();
    const text = await send(app, request);
    expect(text.replace('HTTP/1.1 100 Continue\r\n\r\n', '')).toMatch(/^HTTP\/1.1 200 OK/);
    expect(submitted).toHaveLength(1);
  });
});

describe('a body over the limit', () => {
  const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
  it.each<[string, string]>([
    ['by its length', `${HEAD}Content-Length: 33554432\r\n\r\n${'x'.repeat(33_554_432)}`],
    ['in chunks', `${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(32)}0\r\n\r\n`],
  ])('gets a 413 while it still arrives: %s', async (_, request) => {
    const { app } = await listening();
    const { socket, closed } = await open(app);
    socket.write(request);
    expect((await closed).text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413']);
  });
});
