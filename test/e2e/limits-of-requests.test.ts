/** The limits of a request: one just within a limit runs, and one just over it gets an error that names the limit. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';

import { collect, poll, post, submit, verdict, type RunRequest } from '../helpers/client.js';
import { deploy, type Deployment } from '../helpers/deployment.js';
import { GREETING, HELLO, lab, outcome, runTogether, sayHello } from '../helpers/programs.js';

jest.setTimeout(60_000);

const MIB = 1024 * 1024;
/** One code point outside the BMP: two UTF-16 units, four bytes of UTF-8. */
const ASTRAL = '\u{1f600}';

const data = (count: number, contents = '') =>
  Array.from({ length: count }, (_, i) => ({ basename: `data${i}.txt`, contents }));
/** A program of exactly this many characters. */
const programOf = (length: number) => ({ ...HELLO, contents: HELLO.contents.padEnd(length, '\n') });
const labOf = (count: number) => lab(Array.from({ length: count }, (): [string, string] => ['', 'hello']));
/** A request of exactly this many bytes, whose files are within their own limits. */
function requestOf(bytes: number): RunRequest {
  const request = { mode: 'run', name: 'x', switches: {}, files: [HELLO, ...data(90)] };
  let left = bytes - Buffer.byteLength(JSON.stringify(request));
  for (const file of request.files.slice(1)) {
    file.contents = 'x'.repeat(Math.min(left, 50_000));
    left -= file.contents.length;
  }
  expect([left, Buffer.byteLength(JSON.stringify(request))]).toEqual([0, bytes]);
  return request;
}

interface Row {
  what: string;
  within: Partial<RunRequest>;
  over: Partial<RunRequest>;
  status: number;
  words: string;
  path?: string;
}
const named = (basename: string) => ({ files: [HELLO, { basename, contents: '' }] });
const ROWS: Row[] = [
  {
    what: 'a body of 4 MiB',
    status: 413,
    words: 'The request has more than 4194304 bytes',
    within: requestOf(4 * MIB),
    over: requestOf(4 * MIB + 1),
  },
  {
    what: '100 files',
    status: 400,
    words: '101 files are more than the 100 allowed',
    path: 'files',
    within: { files: [HELLO, ...data(99)] },
    over: { files: [HELLO, ...data(100)] },
  },
  {
    what: 'a file name of 200 bytes',
    status: 400,
    words: 'A file name has 201 bytes, and at most 200 are allowed',
    path: 'files[1].basename',
    within: named('x'.repeat(200)),
    over: named('x'.repeat(201)),
  },
  {
    what: 'a file name of 200 bytes in UTF-8',
    status: 400,
    words: 'A file name has 204 bytes, and at most 200 are allowed',
    path: 'files[1].basename',
    within: named(ASTRAL.repeat(50)),
    over: named(ASTRAL.repeat(51)),
  },
  {
    what: "a project's name of 512 characters",
    status: 400,
    words: "The project's name has more than 512 characters",
    path: 'name',
    within: { files: [HELLO], name: ASTRAL.repeat(512) },
    over: { files: [HELLO], name: ASTRAL.repeat(513) },
  },
  {
    what: 'a file of 50,000 code points',
    status: 400,
    words: '"main.adb" has more than 50000 characters',
    path: 'files[0].contents',
    within: { files: [programOf(50_000)] },
    over: { files: [programOf(50_001)] },
  },
  {
    what: 'a file of 50,000 code points outside the first plane',
    status: 400,
    words: '"data0.txt" has more than 50000 characters',
    path: 'files[1].contents',
    within: { files: [HELLO, ...data(1, ASTRAL.repeat(50_000))] },
    over: { files: [HELLO, ...data(1, ASTRAL.repeat(50_001))] },
  },
  {
    // Its cases run below, with a lower limit.
    what: '50 cases of a lab',
    status: 400,
    words: 'lab_io.txt has 51 cases, and at most 50 are allowed',
    path: 'files[1].contents',
    within: { files: [HELLO, labOf(50)] },
    over: { files: [HELLO, labOf(51)] },
  },
];

describe('with the limits of the contract', () => {
  let service: Deployment;
  let results: Awaited<ReturnType<typeof runTogether>>;
  beforeAll(async () => {
    service = await deploy({ env: { CONCURRENCY: '4' } });
    results = await runTogether(service.base, Object.fromEntries(ROWS.map(({ what, within }) => [what, within])));
  }, 90_000);
  afterAll(() => service.end(), 60_000);

  it.each(ROWS)('$what: accepted and completed', ({ what }) => {
    expect(results[what]).toMatchObject(GREETING);
  });

  it.each(ROWS)('$what: one more is refused', async ({ over, status, words, path }) => {
    for (const route of ['/run_program/', '/download/']) {
      const answer = await post(service.base, route, { mode: 'run', name: 'x', ...over });
      expect([answer.status, answer.body]).toEqual([
        status,
        {
          error: status === 413 ? 'Payload Too Large' : 'Bad Request',
          message: expect.stringContaining(words),
          ...(path !== undefined && { path }),
        },
      ]);
      expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    }
  });

  it('the client receives the error for a large body, with a length or in chunks', async () => {
    const chunk = Buffer.alloc(64 * 1024, ' ');
    const chunked = () => ReadableStream.from(Array.from({ length: (20 * MIB) / chunk.length }, () => chunk));
    for (let i = 0; i < 5; i++) {
      for (const body of [Buffer.alloc(20 * MIB, ' '), chunked()]) {
        const headers = { 'content-type': 'application/json' };
        const answer = await fetch(`${service.base}/run_program/`, { method: 'POST', headers, body, duplex: 'half' });
        expect([answer.status, await answer.json()]).toEqual([
          413,
          expect.objectContaining({ error: 'Payload Too Large' }),
        ]);
      }
    }
  });

  it('the service still answers', async () => {
    expect(await sayHello(service.base)).toEqual(GREETING);
  });
});

describe('with limits that an operator has set', () => {
  const env = {
    BODY_LIMIT_BYTES: '2000',
    REQUEST_LIMIT_FILES: '3',
    FILE_NAME_LIMIT_BYTES: '10',
    PROJECT_NAME_LIMIT_CODE_POINTS: '5',
    FILE_LIMIT_CODE_POINTS: '300',
    LAB_LIMIT_CASES: '2',
    WAITING_TASKS: '3',
    REPLY_EXPIRY_MS: '2000',
  };
  let service: Deployment;
  beforeAll(async () => {
    service = await deploy({ workers: 0, env });
  }, 60_000);
  afterAll(() => service.end(), 60_000);

  it.each<[string, number, Partial<RunRequest>]>([
    ['The request has more than 2000 bytes', 413, { files: [HELLO, ...data(1, 'x'.repeat(2000))] }],
    ['4 files are more than the 3 allowed', 400, { files: [HELLO, ...data(3)] }],
    ['A file name has 11 bytes, and at most 10 are allowed', 400, named('elevenbytes')],
    ["The project's name has more than 5 characters", 400, { files: [HELLO], name: 'sixsix' }],
    ['"main.adb" has more than 300 characters', 400, { files: [programOf(301)] }],
    ['lab_io.txt has 3 cases, and at most 2 are allowed', 400, { files: [HELLO, labOf(3)] }],
  ])('the error names the limit: %s', async (words, status, request) => {
    const answer = await post(service.base, '/run_program/', { mode: 'run', name: 'x', ...request });
    expect([answer.status, answer.body]).toEqual([
      status,
      expect.objectContaining({ message: expect.stringContaining(words) }),
    ]);
  });

  it('a full queue refuses the next task with Retry-After and completes the waiting ones', async () => {
    const request = { mode: 'submit', files: [HELLO, labOf(2)], name: 'x' };
    const waiting = [];
    for (let i = 0; i < 3; i++) waiting.push(await submit(service.base, request));
    // Replies without polls expire after 2 s.
    const results = Promise.all(waiting.map((identifier) => collect(service.base, identifier)));
    for (let i = 0; i < 4; i++) {
      const { status, headers, body } = await post(service.base, '/run_program/', request);
      expect([status, body]).toEqual([
        503,
        { error: 'Service Unavailable', message: 'Too many programs are waiting. Try again later.' },
      ]);
      const retryAfter = headers.get('retry-after');
      expect(retryAfter).toMatch(/^\d+$/);
      expect(Number(retryAfter)).toBeGreaterThanOrEqual(1);
      expect(Number(retryAfter)).toBeLessThanOrEqual(60);
    }
    await service.addWorker();
    for (const result of await results) {
      expect(result).toMatchObject({ status: 0, message: 'SUCCESS' });
      expect(verdict(result)).toMatchObject({ success: true });
    }
    expect(await sayHello(service.base)).toEqual(GREETING);
  }, 60_000);

  it('a reply queue lives as long as it is polled, and expires later', async () => {
    const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    const identifier = await submit(service.base, { mode: 'run', files: [HELLO], name: 'x' });
    const result = await collect(service.base, identifier);
    expect(outcome(result)).toEqual(GREETING);
    for (let i = 0; i < 4; i++) {
      await wait(1000);
      expect(await poll(service.base, identifier, result.output.length)).toEqual({
        output: [],
        completed: true,
        status: 0,
        message: 'SUCCESS',
      });
    }
    await wait(3000);
    for (let i = 0; i < 2; i++) {
      const { status, body } = await post(service.base, '/check_output/', { identifier, read: 0 });
      expect([status, body]).toEqual([404, expect.objectContaining({ error: 'Not Found' })]);
    }
    expect(await sayHello(service.base)).toEqual(GREETING);
  }, 60_000);
});
