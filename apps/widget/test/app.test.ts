import { afterAll, describe, expect, it } from '@jest/globals';
import { BrokerUnavailable, ReplyQueueBusy, ReplyQueueGone, TaskQueueFull } from '@code-widgets/broker';
import type { ReplyMessage } from '@code-widgets/protocol';
import type { InjectOptions } from 'fastify';
import { pino } from 'pino';

import { appWith, closeApps, failing, HELLO, post, repliesOf, RUN } from './app-with.js';

const IDENTIFIER = '11111111-2222-4333-8444-555555555555';

/** inject accepts only some of these methods. */
type Method = NonNullable<InjectOptions['method']>;

afterAll(closeApps);

describe('run_program', () => {
  it('answers with an identifier at once and submits the request', async () => {
    const { app, submitted } = await appWith();
    const answer = await post(app, '/run_program/', { ...RUN, extra: { deep: [1] } });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ identifier: submitted[0]?.identifier, message: 'Pending' });
    expect(submitted[0]).toMatchObject({ version: 1, request: RUN });
    expect(submitted[0]?.request).not.toHaveProperty('extra');
  });

  it('is also served without its trailing slash', async () => {
    const { app } = await appWith();
    expect((await post(app, '/run_program', RUN)).statusCode).toBe(200);
  });

  it.each([
    ['no files', { ...RUN, files: undefined }, 'files', /files is missing/],
    ['no mode', { ...RUN, mode: undefined }, 'mode', /mode is missing/],
    ['an unknown mode', { ...RUN, mode: 'debug' }, 'mode', /run, submit, compile, prove/],
    [
      'contents that are a number',
      { ...RUN, files: [{ basename: 'a.adb', contents: 7 }] },
      'files[0].contents',
      /must be string/,
    ],
    ['a main that is a number', { ...RUN, main: 1 }, 'main', /must be string/],
    ['a switch list with a line break in its name', { ...RUN, switches: { 'a\nb': 5 } }, undefined, /must be array/],
    [
      'a switch list with a line separator in its name',
      { ...RUN, switches: { '\u2028': [1] } },
      undefined,
      /must be string/,
    ],
    ['a switch list with a very long name', { ...RUN, switches: { ['k'.repeat(10_000)]: 5 } }, undefined, /^.{1,250}$/],
    ['switches that are a list', { ...RUN, switches: ['-g'] }, 'switches', /must be object/],
    [
      'a file name with a path',
      { ...RUN, files: [HELLO, { basename: '../x', contents: '' }] },
      'files[1].basename',
      /./,
    ],
    ['a main that was not sent', { ...RUN, main: 'other.adb' }, 'main', /main/],
    ['a body that is a list', [], undefined, /must be object/],
  ])('refuses %s and names the position', async (_, payload, path, message) => {
    const { app, submitted } = await appWith();
    const answer = await post(app, '/run_program/', payload);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({
      error: 'Bad Request',
      message: expect.stringMatching(message),
      ...(path && { path }),
    });
    expect(submitted).toEqual([]);
  });

  it.each([
    ['empty', ''],
    ['half an object', '{"mode": "run",'],
  ])('refuses a body that is %s', async (_, payload) => {
    const { app } = await appWith();
    const answer = await post(app, '/run_program/', payload, { headers: { 'content-type': 'application/json' } });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ error: 'Bad Request' });
  });

  it('refuses JSON with another content type', async () => {
    const { app } = await appWith();
    const answer = await post(app, '/run_program/', JSON.stringify(RUN), { headers: { 'content-type': 'text/plain' } });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ message: expect.stringMatching(/application\/json/) });
  });

  it('refuses a body over the limit', async () => {
    const { app } = await appWith({ bodyLimitBytes: 1024 });
    const answer = await post(app, '/run_program/', { ...RUN, name: 'x'.repeat(2000) });
    expect(answer.statusCode).toBe(413);
  });

  it('answers 503 with an estimated Retry-After if the queue is full', async () => {
    const { app } = await appWith(failing(new TaskQueueFull()));
    const answer = await post(app, '/run_program/', RUN);
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('15'); // 30 waiting, 4 at a time, 2 s each by default
    expect(answer.json()).toMatchObject({ error: 'Service Unavailable' });
  });

  it('answers 503 if the broker is unreachable', async () => {
    const { app } = await appWith(failing(new BrokerUnavailable('no channel')));
    const answer = await post(app, '/run_program/', RUN);
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    expect(answer.body).not.toContain('no channel');
  });
});

describe('check_output', () => {
  const output: ReplyMessage = {
    version: 1,
    kind: 'output',
    attempt: 1,
    first: 1,
    items: [
      { msg: { type: 'stdout', data: 'hello\n' }, ref: '1' },
      {
        msg: {
          type: 'lab',
          data: { success: false, cases: { 2: { in: null, out: ' 0', actual: '', status: 'Failed' } } },
        },
      },
    ],
  };
  const final = (state: 'SUCCESS' | 'FAILURE', status: number): ReplyMessage => ({
    version: 1,
    kind: 'final',
    attempt: 1,
    items: 2,
    state,
    status,
    workMs: 10,
  });

  it('answers with the published items and the final message', async () => {
    const { app } = await appWith({ replies: repliesOf([output, final('SUCCESS', 3)]) });
    const answer = await post(app, '/check_output/', { identifier: IDENTIFIER, read: 0 });
    expect(answer.json()).toEqual({ output: output.items, status: 3, completed: true, message: 'SUCCESS' });
  });

  it('answers Pending before any message', async () => {
    const { app } = await appWith();
    const answer = await post(app, '/check_output/', { identifier: IDENTIFIER });
    expect(answer.json()).toEqual({ output: [], status: 0, completed: false, message: 'PENDING' });
  });

  it('answers 503 if another poll of the task does not finish', async () => {
    const { app } = await appWith(failing(new ReplyQueueBusy('q')));
    const answer = await post(app, '/check_output/', { identifier: IDENTIFIER, read: 0 });
    expect(answer.statusCode).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
  });

  it('answers 500 for a task that failed because of the service', async () => {
    const { app } = await appWith({ replies: repliesOf([final('FAILURE', 1)]) });
    const answer = await post(app, '/check_output/', { identifier: IDENTIFIER, read: 0 });
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toMatchObject({ error: 'Internal Server Error' });
  });

  it.each([IDENTIFIER, 'x', '', 'amq.gen-abc', '../'.repeat(50)])(
    'answers 404 for an unknown identifier: %s',
    async (identifier) => {
      const { app } = await appWith(failing(new ReplyQueueGone('q')));
      const answer = await post(app, '/check_output/', { identifier, read: 0 });
      expect(answer.statusCode).toBe(404);
      expect(answer.json()).toMatchObject({ error: 'Not Found' });
    },
  );

  it.each([
    [{ read: 0 }, 'identifier'],
    [{ identifier: 7, read: 0 }, 'identifier'],
    [{ identifier: IDENTIFIER, read: -1 }, 'read'],
    [{ identifier: IDENTIFIER, read: '3' }, 'read'],
    [{ identifier: IDENTIFIER, read: 0.5 }, 'read'],
  ])('refuses %j', async (payload, path) => {
    const { app } = await appWith();
    const answer = await post(app, '/check_output/', payload);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ path });
  });

  it('hides the details of internal errors', async () => {
    const { app } = await appWith(failing(new Error('secret of the house')));
    const answer = await post(app, '/check_output/', { identifier: IDENTIFIER });
    expect(answer.statusCode).toBe(500);
    expect(answer.body).not.toMatch(/secret|stack|\.ts/);
  });
});

describe('download', () => {
  it('answers with a zip named after the project', async () => {
    const { app } = await appWith();
    const answer = await post(app, '/download/', { files: [HELLO], switches: {}, name: 'Hello_World' });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/zip',
      'content-disposition': 'attachment; filename=Hello_World.zip',
      'access-control-expose-headers': 'Content-Disposition',
    });
    expect(answer.rawPayload.subarray(0, 2).toString()).toBe('PK');
  });
});

it.each(['/run_program/', '/download/'])('%s logs the switches that it dropped', async (url) => {
  const lines: string[] = [];
  const { app } = await appWith({ log: pino({ level: 'warn' }, { write: (line) => void lines.push(line) }) });
  expect((await post(app, url, { ...RUN, switches: { Compiler: ['-O3', '-g'] } })).statusCode).toBe(200);
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([{ droppedSwitches: ['Compiler -O3'] }]);
});

describe('every answer', () => {
  it('is readable from all origins, also if it is an error', async () => {
    const { app } = await appWith();
    const origin = 'https://learn.example.org';
    for (const [method, url] of [
      ['GET', '/'],
      ['GET', '/nowhere/'],
      ['GET', '/run_program/'],
      ['POST', '/run_program/'],
    ] as const) {
      expect((await app.inject({ method, url })).headers['access-control-allow-origin']).toBe('*');
      expect((await app.inject({ method, url, headers: { origin } })).headers['access-control-allow-origin']).toBe(
        origin,
      );
    }
  });

  it('is readable for an empty Origin', async () => {
    const { app } = await appWith();
    const answer = await app.inject({ method: 'GET', url: '/', headers: { origin: '' } });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['access-control-allow-origin']).toBe('*');
  });

  it('to a preflight allows the requested method and headers', async () => {
    const { app } = await appWith();
    const answer = await app.inject({
      method: 'OPTIONS',
      url: '/run_program/',
      headers: {
        origin: 'https://x.org',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': 'https://x.org',
      'access-control-allow-headers': 'content-type',
      'access-control-allow-methods': expect.stringMatching(/POST/),
      allow: 'OPTIONS, POST',
    });
  });

  it('to a wrong method is 405 with the allowed methods', async () => {
    const { app } = await appWith();
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'M-SEARCH']) {
      const answer = await app.inject({ method: method as Method, url: '/check_output/' });
      expect(answer.statusCode).toBe(405);
      expect(answer.headers.allow).toBe('OPTIONS, POST');
    }
    expect((await app.inject({ method: 'POST', url: '/' })).statusCode).toBe(405);
    expect((await app.inject({ method: 'TRACE' as Method, url: '/nowhere/' })).statusCode).toBe(404);
    const bad = { headers: { 'content-type': 'application/json' }, payload: '{' };
    expect((await app.inject({ method: 'PUT', url: '/run_program/', ...bad })).statusCode).toBe(405);
    expect((await app.inject({ method: 'POST', url: '/nowhere/', ...bad })).statusCode).toBe(404);
  });

  it('to an unknown path is 404 as JSON', async () => {
    const { app } = await appWith();
    const answer = await app.inject({ method: 'GET', url: '/nowhere/' });
    expect(answer.statusCode).toBe(404);
    expect(answer.json()).toMatchObject({ error: 'Not Found' });
  });

  it('of the health check is OK', async () => {
    const { app } = await appWith();
    const answer = await app.inject({ method: 'GET', url: '/' });
    expect([answer.statusCode, answer.json()]).toEqual([200, { message: 'OK' }]);
  });
});
