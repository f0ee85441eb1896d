/** What hostile or careless clients do, over real sockets where the server itself has to see it. */
import { once } from 'node:events';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { afterEach, describe, expect, it } from '@jest/globals';

import type { App } from '../src/app-type.js';
import type { AppDependencies } from '../src/app.js';
import { appWith, closeApps, HELLO, RUN } from './app-with.js';

const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await closeApps();
});

const IDENTIFIER = '11111111-2222-4333-8444-555555555555';
const PATIENCE = { headersMs: 300, requestMs: 600, idleMs: 1500, checkMs: 50 };
const BODY = JSON.stringify(RUN);
const json = { 'content-type': 'application/json' };

async function post(app: App, payload: string | Buffer, headers: Record<string, string> = {}, url = '/run_program/') {
  return app.inject({ method: 'POST', url, payload, headers: { ...json, ...headers } });
}

/** A connection to the app, with all that came back on it so far. */
async function open(dependencies: Partial<AppDependencies> = {}): Promise<{ socket: Socket; heard: () => string; closed: Promise<number> }> {
  const { app } = await appWith({ patience: PATIENCE, ...dependencies });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const begin = performance.now();
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  sockets.push(socket);
  let heard = '';
  socket.setEncoding('latin1').on('data', (text: string) => (heard += text));
  socket.on('error', () => undefined);
  // Not by `once`, for which a reset is an error.
  const closed = new Promise<number>((resolve) => socket.once('close', () => resolve(performance.now() - begin)));
  await once(socket, 'connect');
  return { socket, heard: () => heard, closed };
}

/** Sends a byte now and then, for as long as anybody listens. */
async function trickle(socket: Socket, text: string): Promise<void> {
  for (const byte of text) {
    if (socket.destroyed) return;
    socket.write(byte);
    await sleep(40);
  }
}
const head = (length: number) => `POST /run_program/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

describe('a client that is slow', () => {
  it.each([
    ['with its headers', '', 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: '.padEnd(200, 'a')],
    ['with its body', head(10_000), BODY.padEnd(200)],
  ])('%s is cut off, and told so', async (_, first, rest) => {
    const { socket, heard, closed } = await open();
    socket.write(first);
    void trickle(socket, rest);
    expect(await closed).toBeLessThan(2000);
    expect(heard()).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/);
    expect(JSON.parse(heard().split('\r\n\r\n')[1] as string)).toMatchObject({ error: 'Request Timeout' });
  });

  it('that says nothing at all is cut off', async () => {
    const { closed } = await open();
    expect(await closed).toBeLessThan(3000);
  });

  it('that does not read its answers is cut off', async () => {
    const { socket, closed } = await open();
    const request = `${head(BODY.length)}${BODY}`;
    socket.pause();
    // Answers fill the system's buffers on both sides, and then the server's.
    const flood = setInterval(() => socket.writable && socket.write(request.repeat(500)), 10);
    const time = await Promise.race([closed, sleep(8000, Infinity, { ref: false })]);
    clearInterval(flood);
    socket.destroy();
    expect(time).toBeLessThan(8000);
  }, 15_000);
});

describe('what is no request', () => {
  it.each([
    ['nonsense', 'hello\r\n\r\n', 400],
    ['two lengths', 'POST /run_program/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['endless headers', `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(100_000)}\r\n\r\n`, 431],
    ['a header with a line of its own', 'GET / HTTP/1.1\r\nHost: x\r\nA\nB: c\r\n\r\n', 400],
  ])('is answered as every error is: %s', async (_, text, status) => {
    const { socket, heard, closed } = await open();
    socket.write(text);
    await closed;
    expect(heard()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(heard()).toMatch(/access-control-allow-origin: \*/i);
    expect(JSON.parse(heard().split('\r\n\r\n')[1] as string)).toMatchObject({ message: expect.any(String) });
  });
});

describe('a body that is a trap', () => {
  const withRead = (read: string) => `{"identifier":"${IDENTIFIER}","read":${read}}`;

  it.each([
    ['a prototype', `{"__proto__":{"mode":"run"},${BODY.slice(1)}`],
    ['a prototype in escapes', `{"\\u005f_proto__":{"mode":"run"},${BODY.slice(1)}`],
    ['a constructor', `{"constructor":{"prototype":{"mode":"run"}},${BODY.slice(1)}`],
    ['a prototype among the switches', JSON.stringify(RUN).replace('"switches":{}', '"switches":{"__proto__":["-g"]}')],
    ['a list without end', '['.repeat(100_000)],
    ['an object in an object in an object', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['compressed', gzipSync(BODY).toString('latin1')],
    ['of two bytes a character', Buffer.from(BODY, 'utf16le')],
    ['half a character', Buffer.concat([Buffer.from(BODY.slice(0, -1)), Buffer.of(0xe2)])],
  ])('%s is refused', async (_, payload) => {
    const { app, submitted } = await appWith();
    const answer = await post(app, payload);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ error: 'Bad Request', message: expect.stringMatching(/^.{1,300}$/s) });
    expect(answer.body).not.toMatch(/node_modules|\bat .*:\d+/);
    expect(submitted).toEqual([]);
    expect(({} as Record<string, unknown>).mode).toBeUndefined();
  });

  it('counts the last of two members of one name, as JSON does', async () => {
    const { app, submitted } = await appWith();
    expect((await post(app, `{"mode":"debug",${BODY.slice(1)}`)).statusCode).toBe(200);
    expect(submitted[0]?.request.mode).toBe('run');
  });

  it.each(['1e308', '1e400', '-1', '1.5', '9007199254740993', '"1"', 'null', 'true'])('takes no %s for a number of items', async (read) => {
    const { app } = await appWith();
    expect((await post(app, withRead(read), {}, '/check_output/')).statusCode).toBe(400);
  });

  it('in chunks over the limit is refused', async () => {
    const { socket, heard, closed } = await open({ bodyLimitBytes: 2048 });
    socket.write('POST /run_program/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (let i = 0; i < 5; i++) socket.write(`400\r\n${' '.repeat(0x400)}\r\n`);
    socket.write('0\r\n\r\n');
    await closed;
    expect(heard()).toMatch(/^HTTP\/1.1 413 /);
  });

  it('that is said to be compressed is refused', async () => {
    const { app } = await appWith();
    expect((await post(app, gzipSync(BODY), { 'content-encoding': 'gzip' })).statusCode).toBe(400);
  });
});

describe('runs without end', () => {
  const from = (app: App, remoteAddress: string, forwarded?: string, url = '/run_program/') =>
    app.inject({
      method: 'POST',
      url,
      remoteAddress,
      payload: url === '/check_output/' ? { identifier: IDENTIFIER } : { ...RUN, files: [HELLO] },
      headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
    });
  const statuses = async (count: number, send: (i: number) => ReturnType<typeof from>) => {
    const seen: number[] = [];
    for (let i = 0; i < count; i++) seen.push((await send(i)).statusCode);
    return seen;
  };

  it('of one client are refused for a while, with CORS and when to come back; those of others are not', async () => {
    const { app, submitted } = await appWith({ runsPerMinute: 3 });
    expect(await statuses(4, () => from(app, '10.0.0.1'))).toEqual([200, 200, 200, 429]);
    const { headers, json: body } = await from(app, '10.0.0.1');
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(Number(headers['retry-after'])).toBeGreaterThan(50);
    expect(body()).toMatchObject({ error: 'Too Many Requests', message: expect.stringMatching(/Try again in \d+ seconds/) });
    expect((await from(app, '10.0.0.2')).statusCode).toBe(200);
    expect(submitted).toHaveLength(4);
    // Nobody who has a program running loses sight of it.
    expect(await statuses(10, () => from(app, '10.0.0.1', undefined, '/check_output/'))).toEqual(Array(10).fill(200));
  });

  it('are not fewer for who invents a proxy', async () => {
    const { app } = await appWith({ runsPerMinute: 2 });
    expect(await statuses(3, (i) => from(app, '10.0.0.1', `1.1.1.${i}`))).toEqual([200, 200, 429]);
  });

  it('are counted for the client behind as many proxies as there are, whatever it says itself', async () => {
    const { app } = await appWith({ runsPerMinute: 2, trustedProxies: 1 });
    expect(await statuses(3, (i) => from(app, '10.0.0.9', `1.1.1.${i}, 2.2.2.2`))).toEqual([200, 200, 429]);
    expect((await from(app, '10.0.0.9', '1.1.1.1, 3.3.3.3')).statusCode).toBe(200);
  });

  it('are counted for the network that an IPv6 customer has', async () => {
    const { app } = await appWith({ runsPerMinute: 2 });
    expect(await statuses(3, (i) => from(app, `2001:db8::${i}`))).toEqual([200, 200, 429]);
    expect((await from(app, '2001:db8:0:1::1')).statusCode).toBe(200);
  });

  it('are not counted where the operator has set no limit', async () => {
    const { app } = await appWith({ runsPerMinute: 0 });
    expect(await statuses(400, () => from(app, '10.0.0.1'))).toEqual(Array(400).fill(200));
  });
});

describe('every answer', () => {
  it.each([
    ['GET', '/'],
    ['GET', '/nowhere/'],
    ['PUT', '/download/'],
    ['POST', '/run_program/'],
  ] as const)('has the headers that keep a browser from making more of it: %s %s', async (method, url) => {
    const { app } = await appWith();
    const { headers } = await app.inject({ method, url });
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'cross-origin-resource-policy': 'cross-origin',
      'referrer-policy': 'no-referrer',
    });
  });
});
