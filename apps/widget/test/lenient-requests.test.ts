/** Unusual but unambiguous requests of PHP, Python, Go, Java and old JavaScript clients. */
import { afterAll, describe, expect, it } from '@jest/globals';
import { decodeTaskMessage, encodeMessage, type TaskMessage } from '@code-widgets/protocol';
import type { InjectOptions } from 'fastify';

import { appWith, closeApps, HELLO, post, repliesOf, RUN } from './app-with.js';

const IDENTIFIER = '1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed';
const JSON_TYPE = { headers: { 'content-type': 'application/json' } };

/** inject accepts only some of these methods. */
type Method = NonNullable<InjectOptions['method']>;

afterAll(closeApps);

describe('a run', () => {
  const { files, mode } = RUN;
  const nulls = { main: null, switches: null, name: null, lab: null };

  it.each<[string, object, object]>([
    ['null for every optional member', { files, mode, ...nulls }, { files, mode }],
    ['null for unknown members', { ...RUN, stdout: null, cli: [null] }, RUN],
    ['an empty list of switches', { ...RUN, switches: [] }, { files, mode, main: '', name: 'Demo', lab: false }],
    [
      'null for the switches of a package',
      { ...RUN, switches: { Compiler: null, Builder: ['-g'] } },
      { ...RUN, switches: { Builder: ['-g'] } },
    ],
    [
      'an empty list for a package, which is kept',
      { ...RUN, switches: { Compiler: [] } },
      { ...RUN, switches: { Compiler: [] } },
    ],
    ['a lab that is true', { ...RUN, lab: true }, { ...RUN, lab: true }],
    ...[0, 1, 1.5, '', 'true', 'lab-3'].map((lab): [string, object, object] => [
      `${JSON.stringify(lab)} for lab, which goes no further`,
      { files, mode, lab },
      { files, mode },
    ]),
  ])('is accepted with %s', async (_, sent, meant) => {
    const { app, submitted } = await appWith();
    expect((await post(app, '/run_program/', sent)).json()).toMatchObject({ message: 'Pending' });
    expect(submitted[0]?.request).toEqual(meant);
    const [task] = submitted as [TaskMessage];
    expect(decodeTaskMessage(encodeMessage(task))).toEqual(task);
  });

  it.each<[string, object, string]>([
    ['a lab that is an object', { lab: {} }, 'lab'],
    ['a lab that is a list', { lab: [] }, 'lab'],
    ['a list of switches without a package', { switches: ['-g'] }, 'switches'],
    ['switches that are text', { switches: '' }, 'switches'],
    ['null among the switches of a package', { switches: { Compiler: [null] } }, 'switches.Compiler[0]'],
    ['files that are null', { files: null }, 'files'],
    ['a mode that is null', { mode: null }, 'mode'],
    ['contents that are null', { files: [{ ...HELLO, contents: null }] }, 'files[0].contents'],
    ['a main that is a number', { main: 5 }, 'main'],
  ])('is refused with %s', async (_, more, path) => {
    const { app } = await appWith();
    const answer = await post(app, '/run_program/', { ...RUN, ...more });
    expect([answer.statusCode, answer.json()]).toMatchObject([400, { error: 'Bad Request', path }]);
  });
});

describe('a download', () => {
  it.each<[string, object]>([
    ['null for every optional member', { switches: null, name: null }],
    ['no name', {}],
    ['an empty list of switches', { switches: [], name: 'project' }],
  ])('is answered with %s', async (_, more) => {
    const { app } = await appWith();
    const answer = await post(app, '/download/', { files: [HELLO], ...more });
    expect([answer.statusCode, answer.headers['content-disposition']]).toEqual([
      200,
      'attachment; filename=project.zip',
    ]);
  });
});

describe('a poll', () => {
  it.each(['null', '0', '-0', '3.0', '1e3', '9223372036854775807', '1e308'])(
    'is answered with a `read` of %s',
    async (read) => {
      const { app } = await appWith();
      expect(
        (await post(app, '/check_output/', `{"identifier":"${IDENTIFIER}","read":${read}}`, JSON_TYPE)).statusCode,
      ).toBe(200);
    },
  );

  it('accepts an identifier in upper case', async () => {
    const asked: string[] = [];
    const replies = repliesOf([]);
    const { app } = await appWith({
      replies: { poll: (identifier, read) => (asked.push(identifier), replies.poll(identifier, read)) },
    });
    expect((await post(app, '/check_output/', { identifier: IDENTIFIER.toUpperCase() })).statusCode).toBe(200);
    expect(asked).toEqual([IDENTIFIER]);
  });

  it('counts upper and lower case as the same task', async () => {
    const { app } = await appWith({ pollWaitMs: 1 });
    const begin = performance.now();
    for (const identifier of [IDENTIFIER, IDENTIFIER.toUpperCase()])
      await post(app, '/check_output/', { identifier, read: 0 });
    // The second poll follows too soon and is delayed.
    expect(performance.now() - begin).toBeGreaterThan(40);
  });
});

describe('an address', () => {
  it.each(['run_program', 'check_output', 'download'])(
    'is served with doubled or missing slashes: /%s/',
    async (name) => {
      const { app } = await appWith();
      const payload = { ...RUN, identifier: IDENTIFIER };
      for (const url of [
        `/${name}`,
        `//${name}/`,
        `/${name}//`,
        `///${name}///`,
        `//${name}`,
        `//${name}//?x=/`,
        `http://host//${name}/`,
      ]) {
        const answers = [
          await post(app, url, payload),
          await app.inject({ method: 'OPTIONS', url }),
          await app.inject({ method: 'GET', url }),
        ];
        expect([url, ...answers.map(({ statusCode }) => statusCode)]).toEqual([url, 200, 200, 405]);
        for (const { headers } of answers.slice(1)) expect(headers.allow).toBe('OPTIONS, POST');
      }
    },
  );

  it('of the health check is served with doubled slashes', async () => {
    const { app } = await appWith();
    const statuses = [];
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'TRACE']) {
      statuses.push((await app.inject({ method: method as Method, url: '//' })).statusCode);
    }
    expect(statuses).toEqual([200, 200, 200, 405, 405]);
  });
});

describe('a body', () => {
  const text = JSON.stringify({ ...RUN, name: 'Größe' });

  it.each([
    ...['application/json;charset=UTF-8', 'Application/JSON; charset="utf-8"', 'application/json; charset=us-ascii'],
    ...[
      'application/json;charset=ISO-8859-1',
      'application/json; charset=windows-1252',
      'application/json; Charset="UTF-16"',
    ],
    ...[
      'application/json; charset=',
      'application/json;',
      'application/json; charset=utf-8;',
      'application/json; version=1; charset=x',
    ],
  ])('in UTF-8 is accepted as %s', async (type) => {
    const { app, submitted } = await appWith();
    expect((await post(app, '/run_program/', text, { headers: { 'content-type': type } })).statusCode).toBe(200);
    expect(submitted[0]?.request.name).toBe('Größe');
  });

  it.each(['utf-8', 'UTF-8', 'Identity', ''])(
    'without encoding is accepted with a Content-Encoding of "%s"',
    async (encoding) => {
      const { app } = await appWith();
      const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
      expect((await post(app, '/run_program/', text, { headers })).statusCode).toBe(200);
    },
  );

  it.each(['/run_program/', '/check_output/', '/download/'])('may start with a byte order mark: %s', async (url) => {
    const { app } = await appWith();
    const body = `\ufeff${JSON.stringify({ ...RUN, identifier: IDENTIFIER })}`;
    expect((await post(app, url, body, JSON_TYPE)).statusCode).toBe(200);
  });
});
