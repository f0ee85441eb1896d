import { afterEach, describe, expect, it, jest } from '@jest/globals';

import type { ReplyMessage } from '@code-widgets/protocol';

import { appWith, closeApps, HELLO, post, repliesOf, RUN } from './app-with.js';

afterEach(async () => {
  jest.restoreAllMocks();
  await closeApps();
});

const BEGUN: ReplyMessage = {
  version: 1,
  kind: 'output',
  attempt: 1,
  first: 1,
  items: [{ msg: { type: 'console', data: 'gprbuild' } }],
};
const POLL = { identifier: 'x', read: 0 };

describe('the rate limit', () => {
  it("refuses a client's next run with Retry-After", async () => {
    const { app, submitted } = await appWith({ runsPerMinute: 2 });
    for (let i = 0; i < 2; i++) expect((await post(app, '/run_program/', RUN)).statusCode).toBe(200);
    const origin = 'https://learn.example.org';
    const answer = await post(app, '/run_program', RUN, { headers: { origin } });
    expect(answer.statusCode).toBe(429);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(answer.headers['retry-after'])).toBeLessThanOrEqual(60);
    expect(answer.json()).toEqual({
      error: 'Too Many Requests',
      message: expect.stringMatching(/^More than 2 .* Wait \d+ s, then/),
    });
    expect(answer.headers['access-control-allow-origin']).toBe(origin);
    expect(submitted).toHaveLength(2);
  });

  it('refuses a run before it reads the body', async () => {
    const { app } = await appWith({ runsPerMinute: 1 });
    await post(app, '/run_program/', RUN);
    const answer = await post(app, '/run_program/', '{'.repeat(5_000_000), {
      headers: { 'content-type': 'text/plain' },
    });
    expect(answer.statusCode).toBe(429);
  });

  it("accepts a client's runs again after a minute", async () => {
    const { app } = await appWith({ runsPerMinute: 1 });
    await post(app, '/run_program/', RUN);
    expect((await post(app, '/run_program/', RUN)).statusCode).toBe(429);
    const later = Date.now() + 60_001;
    jest.spyOn(Date, 'now').mockReturnValue(later);
    expect((await post(app, '/run_program/', RUN)).statusCode).toBe(200);
  });

  it('ignores polls, and counts downloads separately', async () => {
    const { app } = await appWith({ runsPerMinute: 1 });
    await post(app, '/run_program/', RUN);
    for (let i = 0; i < 20; i++) expect((await post(app, '/check_output/', POLL)).statusCode).toBe(404);
    for (let i = 0; i < 20; i++) expect((await app.inject({ method: 'GET', url: '/' })).statusCode).toBe(200);
    const download = () => post(app, '/download/', { files: [HELLO], name: 'x' });
    expect((await download()).statusCode).toBe(200);
    expect((await download()).statusCode).toBe(429);
  });

  it('is off at 0', async () => {
    const { app } = await appWith({ runsPerMinute: 0 });
    for (let i = 0; i < 50; i++) expect((await post(app, '/run_program/', RUN)).statusCode).toBe(200);
  });
});

describe('a client with many waiting programs', () => {
  it('is refused until one starts, while other clients are served', async () => {
    const tasks = { submit: () => Promise.resolve(), load: () => Promise.resolve({ waiting: 30, slots: 4 }) };
    const { app } = await appWith({ waitingTasksOfClient: 2, trustedProxies: 1, replies: repliesOf([BEGUN]), tasks });
    const run = (address: string) => post(app, '/run_program/', RUN, { headers: { 'x-forwarded-for': address } });
    const identifiers = [await run('192.0.2.1'), await run('192.0.2.1')].map(
      (answer) => answer.json<{ identifier: string }>().identifier,
    );
    const refused = await run('192.0.2.1');
    expect(refused.statusCode).toBe(429);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect(refused.json()).toEqual({
      error: 'Too Many Requests',
      message: expect.stringMatching(/^2 programs from your address are waiting/),
    });
    expect((await run('192.0.2.2')).statusCode).toBe(200);
    await post(app, '/check_output/', { identifier: identifiers[0], read: 0 });
    expect((await run('192.0.2.1')).statusCode).toBe(200);
    expect((await run('192.0.2.1')).statusCode).toBe(429);
  });
});

describe('two requests count as one client', () => {
  /** Whether a second client's run is refused after a first client's run, with one run allowed. */
  async function countAsOne(trustedProxies: number, first: Client, second: Client): Promise<boolean> {
    const { app } = await appWith({ runsPerMinute: 1, trustedProxies });
    const statuses = [];
    for (const { from = '192.0.2.1', forwarded } of [first, second]) {
      const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
      statuses.push((await post(app, '/run_program/', RUN, { remoteAddress: from, headers })).statusCode);
    }
    expect(statuses[0]).toBe(200);
    return statuses[1] === 429;
  }
  interface Client {
    from?: string;
    forwarded?: string;
  }
  const by = (forwarded: string): Client => ({ forwarded });

  it.each<[string, number, Client, Client]>([
    ['with invented addresses and no proxy', 0, by('198.51.100.1'), by('198.51.100.2')],
    ['with invented addresses behind a proxy', 1, by('203.0.113.7'), by('198.51.100.1, 198.51.100.2, 203.0.113.7')],
    [
      'with invented addresses behind two proxies',
      2,
      by('203.0.113.7, 10.0.0.1'),
      by('198.51.100.1, 203.0.113.7,10.0.0.1'),
    ],
    ['by the connection if the header is missing', 1, {}, {}],
    ['for any form of an IPv4 address', 1, by('203.0.113.7'), by('::ffff:203.0.113.7')],
    ['for any form of an IPv4 address, in hexadecimal', 1, by('203.0.113.7'), by('::ffff:cb00:7107')],
    ["for any form of a connection's address", 0, { from: '203.0.113.7' }, { from: '::ffff:203.0.113.7' }],
    ['in the same IPv6 network', 1, by('2001:db8:1:2::1'), by('2001:DB8:1:2:ffff:ffff:ffff:ffff')],
    ['without regard to the port', 1, by('203.0.113.7:1024'), by('203.0.113.7:1025')],
    ['without regard to the port, in IPv6', 1, by('[2001:db8::7]:1024'), by('[2001:db8::7]')],
    ['if the proxy does not know the address', 1, by('unknown'), by('_hidden')],
  ])('%s', async (_, proxies, first, second) => {
    expect(await countAsOne(proxies, first, second)).toBe(true);
  });

  it.each<[string, number, Client, Client]>([
    ['with no proxy', 0, { from: '192.0.2.1' }, { from: '192.0.2.2' }],
    ['behind a proxy', 1, by('203.0.113.7'), by('203.0.113.7, 203.0.113.8')],
    ['behind two proxies', 2, by('203.0.113.7, 10.0.0.1'), by('203.0.113.8, 10.0.0.1')],
    ['in another IPv6 network', 1, by('2001:db8:1:2::1'), by('2001:db8:1:3::1')],
  ])('except for different addresses %s', async (_, proxies, first, second) => {
    expect(await countAsOne(proxies, first, second)).toBe(false);
  });
});

describe('every answer', () => {
  it.each([
    ['health', 'GET', '/', undefined, 200],
    ['a run', 'POST', '/run_program/', RUN, 200],
    ['a download', 'POST', '/download/', { files: [HELLO], name: 'x' }, 200],
    ['a preflight', 'OPTIONS', '/run_program/', undefined, 200],
    ['an invalid request', 'POST', '/run_program/', {}, 400],
    ['an unknown task', 'POST', '/check_output/', POLL, 404],
    ['an unknown path', 'GET', '/nowhere/', undefined, 404],
    ['a path that is no URL', 'GET', '/%zz', undefined, 400],
    ['a wrong method', 'DELETE', '/run_program/', undefined, 405],
  ] as const)('has headers that let every page read it as data only: %s', async (_, method, url, payload, status) => {
    const { app } = await appWith();
    const answer = await app.inject({ method, url, ...(payload && { payload }) });
    expect(answer.statusCode).toBe(status);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'cross-origin-resource-policy': 'cross-origin',
      'x-content-type-options': 'nosniff',
    });
    expect(Object.keys(answer.headers)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(strict-transport|x-powered|server)/)]),
    );
  });
});

describe('a request is refused before its body is read', () => {
  it('if the body is compressed', async () => {
    const { app } = await appWith();
    const answer = await post(app, '/run_program/', RUN, { headers: { 'content-encoding': 'gzip' } });
    expect(answer.statusCode).toBe(415);
    expect(answer.json()).toEqual({
      error: 'Unsupported Media Type',
      message: expect.stringMatching(/Content-Encoding/),
    });
    expect((await post(app, '/run_program/', RUN, { headers: { 'content-encoding': 'identity' } })).statusCode).toBe(
      200,
    );
  });

  it('if it has more than a hundred headers', async () => {
    const { app } = await appWith();
    const headers = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, '']));
    expect((await post(app, '/run_program/', RUN, { headers: headers(101) })).statusCode).toBe(431);
    expect((await post(app, '/run_program/', RUN, { headers: headers(90) })).statusCode).toBe(200);
  });
});
