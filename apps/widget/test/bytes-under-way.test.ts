import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { ReplyMessage } from '@code-widgets/protocol';

import { eventually } from '../../../test/helpers/eventually.js';
import { appWith, post, repliesOf, RUN } from './app-with.js';
import { closeConnections, HEAD, JSON_RUN, listening, open, parse, POLL, send, SOON } from './raw-connections.js';

jest.setTimeout(60_000);
afterEach(closeConnections);

const MIB = 1024 * 1024;
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;

describe('a body', () => {
  it('in chunks of one byte is read completely', async () => {
    const { app, submitted } = await listening();
    const chunks = [...JSON_RUN].map((byte) => `1\r\n${byte}\r\n`).join('');
    const request = `${CHUNKED.replace('Host', 'Connection: close\r\nHost')}${chunks}0\r\n\r\n`;
    await eventually('the body is accepted', async () => parse(await send(app, request)).status === 200, SOON);
    expect(submitted[0]?.request).toEqual(RUN);
  });

  // test/e2e/widget-memory.test.ts measures the memory of chunks.
  it('in too many small chunks is refused', async () => {
    const { app } = await listening();
    const { socket, closed } = await open(app);
    socket.write(CHUNKED);
    const chunks = Buffer.from('1\r\n \r\n'.repeat(10_000));
    for (let i = 0; i < 3; i++) socket.write(chunks);
    expect(parse((await closed).text)).toMatchObject({
      status: 413,
      body: { message: 'The body comes in more than 20000 chunks; send larger ones.' },
    });
  });

  it('that breaks off submits nothing and causes no error', async () => {
    const { app, submitted } = await listening();
    const { socket } = await open(app);
    socket.write(`${HEAD}Content-Length: 1000\r\n\r\n${JSON_RUN.slice(0, 20)}`);
    await sleep(100);
    socket.destroy();
    await sleep(100);
    expect(submitted).toEqual([]);
    expect((await post(app, '/run_program/', RUN)).statusCode).toBe(200);
  });

  it("is refused with Retry-After at its client's limit, while other clients are served", async () => {
    const { app } = await listening({ trustedProxies: 1 });
    const part = Buffer.alloc(4 * MIB - 2, ' ');
    const begin = async (address: string) => {
      const connection = await open(app);
      connection.socket.write(`${HEAD}X-Forwarded-For: ${address}\r\nContent-Length: ${4 * MIB}\r\n\r\n`);
      connection.socket.write(part);
      return connection;
    };
    const first = await Promise.all([1, 2, 3].map(() => begin('192.0.2.1')));
    await sleep(1000);
    const refused = await begin('192.0.2.1');
    await eventually('the fourth body is answered', () => refused.text() !== '', SOON);
    expect(parse((refused.socket.destroy(), refused.text()))).toMatchObject({ status: 503 });
    expect(refused.text()).toMatch(/retry-after: 1\r\n/i);
    const other = await post(app, '/run_program/', RUN, { headers: { 'x-forwarded-for': '192.0.2.2' } });
    expect(other.statusCode).toBe(200);
    for (const { socket } of first) socket.destroy();
    const again = () => post(app, '/run_program/', RUN, { headers: { 'x-forwarded-for': '192.0.2.1' } });
    await eventually('the client may send again', async () => (await again()).statusCode === 200, SOON);
  });
});

describe('a body for check_output', () => {
  it('may have at most 4 KiB', async () => {
    const { app } = await appWith();
    const body = (bytes: number) => ({ identifier: '11111111-2222-4333-8444-555555555555', more: 'x'.repeat(bytes) });
    expect((await post(app, '/check_output/', body(3000))).statusCode).toBe(200);
    const refused = await post(app, '/check_output/', body(5000));
    expect([refused.statusCode, refused.json<{ message: string }>().message]).toEqual([
      413,
      'The request has more than 4096 bytes; send less.',
    ]);
  });
});

describe('unread answers', () => {
  const MESSAGE: ReplyMessage = {
    ...{ version: 1, kind: 'output', attempt: 1, first: 1 },
    items: Array.from({ length: 15 }, () => ({ msg: { type: 'stdout', data: 'x'.repeat(64 * 1024) } })),
  };

  it('are limited per client: then a poll gets 503 and takes nothing from the queue', async () => {
    const { app } = await listening({ replies: repliesOf([MESSAGE]), trustedProxies: 1 });
    const { socket } = await open(app);
    socket.pause();
    // Pipelined on one connection, whose system buffers hold some of the answers.
    for (let i = 0; i < 30; i++) socket.write(POLL);
    const ask = (address: string) =>
      post(
        app,
        '/check_output/',
        { identifier: '11111111-2222-4333-8444-555555555555', read: 0 },
        { headers: { 'x-forwarded-for': address } },
      );
    await eventually('the client is refused', async () => (await ask('127.0.0.1')).statusCode === 503, SOON);
    expect((await ask('127.0.0.1')).headers['retry-after']).toBe('1');
    expect((await ask('192.0.2.2')).statusCode).toBe(200);
    socket.destroy();
    await eventually('the client is answered again', async () => (await ask('127.0.0.1')).statusCode === 200, SOON);
  });
});
