/** Requests that no page would send, and whether the widget still answers. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';

import { unzip } from '../helpers/unzip.js';
import { held, type Attack } from './lib/attack.js';
import { growthOf } from './lib/memory.js';
import type { World } from './lib/world.js';

const SOURCE = 'int main(void) {\n return 0; }\n';
const RUN = { mode: 'compile', name: 'x', files: [{ basename: 'main.c', contents: SOURCE }] };
/** The same request with a name by which a compiler process can be found. */
const markedRun = (token: string) => ({ ...RUN, files: [{ basename: `${token}.c`, contents: SOURCE }] });
const WIDGET_MAY_GROW = 256 * 1024 * 1024;
const JSON_TYPE = { 'content-type': 'application/json' };

interface Answer {
  status: number;
  text: string;
}

async function send(
  world: World,
  token: string,
  path: string,
  body: string | Buffer<ArrayBuffer>,
  headers: Record<string, string> = JSON_TYPE,
): Promise<Answer> {
  const response = await fetch(world.service.base + path, { method: 'POST', headers, body });
  const text = await response.text();
  world.recordAnswer(token, text);
  held(!/\n\s+at |node_modules|node:internal|\/src\/|\/dist\//.test(text), `a stack trace: ${text.slice(0, 300)}`);
  held(response.status < 500 || response.status === 503, `an answer of ${response.status}`);
  return { status: response.status, text };
}

/** A loaded widget may need time for its first answer; later ones follow soon. */
const ANSWER_MS = 15_000;
const MORE_MS = 3000;

/** Sends raw bytes to the first widget and collects its answers until it closes or is silent. */
async function sendRaw(world: World, token: string, bytes: string): Promise<string> {
  const { port } = new URL(world.service.widgets[0]?.base ?? '');
  const socket = connect(Number(port), '127.0.0.1');
  let answer = '';
  const endAfter = (ms: number) => setTimeout(() => socket.destroy(), ms);
  let timer = endAfter(ANSWER_MS);
  socket
    .setEncoding('latin1')
    .on('error', () => undefined)
    .on('data', (text: string) => {
      answer += text;
      clearTimeout(timer);
      timer = endAfter(MORE_MS);
    });
  socket.write(bytes, 'latin1');
  await once(socket, 'close');
  clearTimeout(timer);
  world.recordAnswer(token, answer);
  return answer;
}

const refusing = (
  name: string,
  tries: string,
  bodies: (token: string) => [path: string, body: string | Buffer<ArrayBuffer>, headers?: Record<string, string>][],
): Attack => ({
  name,
  tries,
  async attack(world, token) {
    for (const [path, body, headers] of bodies(token)) {
      const { status, text } = await send(world, token, path, body, headers);
      held(status >= 400, `taken: ${(typeof body === 'string' ? body : '').slice(0, 100)} ${text.slice(0, 200)}`);
    }
    // Anything submitted despite the refusal would run before this task, with its compiler visible on the host.
    await world.canary.runOnce();
    held(world.watch.sightingsOf(token).length === 0, 'what was refused has been built');
  },
});

export const attacks: Attack[] = [
  {
    name: 'prototype pollution',
    tries: 'Sends keys that change what every object has, in each place of a request.',
    async attack(world, token) {
      const proto =
        '"__proto__":{"polluted":"yes","mode":"run","lab":true},"constructor":{"prototype":{"polluted":"yes"}}';
      const file = `{"basename":"main.c","contents":${JSON.stringify(SOURCE)}}`;
      for (const body of [
        `{${proto},"mode":"compile","name":"x","files":[${file}]}`,
        `{"mode":"compile","name":"x","files":[{${proto},"basename":"a.c","contents":""},${file}]}`,
        `{"mode":"compile","name":"x","files":[${file}],"switches":{"__proto__":["-g"],"constructor":["-g"],"toString":["-g"]}}`,
        `{${proto}}`,
      ])
        await send(world, token, '/run_program/', body);
      const { status, text } = await send(world, token, '/run_program/', '{"name":"x","files":[]}');
      held(status === 400 && text.includes('mode'), 'an object that has what was sent for all');
    },
  },
  {
    name: 'duplicate keys',
    tries: 'Sends each key twice, so that what is checked is not what is used.',
    async attack(world, token) {
      const bad = '[{"basename":"../x.c","contents":""}]',
        good = JSON.stringify(RUN.files);
      for (const [first, second] of [
        [good, bad],
        [bad, good],
      ]) {
        const { status, text } = await send(
          world,
          token,
          '/run_program/',
          `{"files":${first},"mode":"compile","name":"x","files":${second}}`,
        );
        held(status === (second === good ? 200 : 400), `the first of two keys counts: ${status}`);
        if (status !== 200) continue;
        const { output } = await world.collect(token, (JSON.parse(text) as { identifier: string }).identifier);
        held(JSON.stringify(output).includes('Build completed'), 'another file than the one that was checked');
      }
      const { status } = await send(
        world,
        token,
        '/run_program/',
        '{"mode":"compile","name":"x","files":[{"basename":"a.c","basename":"../../x.c","contents":""}]}',
      );
      held(status === 400, 'a path in the second of two names');
    },
  },
  refusing(
    'deep JSON',
    'Sends arrays within arrays, a hundred thousand deep, which break what follows them by recursion.',
    () => [
      ['/run_program/', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
      ['/run_program/', `{"mode":"run","name":"x","files":${'[{"a":'.repeat(50_000)}1${'}]'.repeat(50_000)}}`],
      ['/check_output/', `{"identifier":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
      ['/download/', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ],
  ),
  refusing(
    'huge numbers',
    'Sends numbers that are no integers, no indices, or no numbers, where one is expected.',
    () =>
      [
        '1e400',
        '-1',
        '0.5',
        '1e21',
        '9007199254740993',
        '"0"',
        'null',
        '[0]',
        'NaN',
        '0x10',
        '-0.1',
        '99999999999999999999999',
      ].map((read) => ['/check_output/', `{"identifier":"00000000-0000-4000-8000-000000000000","read":${read}}`]),
  ),
  refusing('wrong types', 'Sends another type in each place, which text functions would fail on.', (token) =>
    (
      [
        { ...markedRun(token), files: {} },
        { ...markedRun(token), files: 'x' },
        { ...markedRun(token), files: [null] },
        { ...markedRun(token), files: [[]] },
        { ...markedRun(token), files: [{ basename: {}, contents: '' }] },
        { ...markedRun(token), files: [{ basename: 'a.c', contents: { length: 1e9 } }] },
        { ...markedRun(token), mode: ['run'] },
        { ...markedRun(token), mode: {} },
        { ...markedRun(token), main: ['a'] },
        { ...markedRun(token), switches: ['-g'] },
        { ...markedRun(token), switches: { Compiler: '-g' } },
        { ...markedRun(token), switches: { Compiler: [['-g']] } },
        { ...markedRun(token), name: { toString: 'x' } },
      ] as unknown[]
    ).map((body) => ['/run_program/', JSON.stringify(body)]),
  ),
  refusing(
    'wrong encodings',
    'Sends bodies in other character sets, forms and compressions, and such as are cut off.',
    (token) => [
      [
        '/run_program/',
        Buffer.from(JSON.stringify(markedRun(token)), 'utf16le'),
        { 'content-type': 'application/json; charset=utf-16' },
      ],
      ['/run_program/', JSON.stringify(markedRun(token)), { 'content-type': 'text/plain' }],
      ['/run_program/', JSON.stringify(markedRun(token)), { 'content-type': 'application/x-www-form-urlencoded' }],
      ['/run_program/', JSON.stringify(markedRun(token)), { 'content-type': 'multipart/form-data; boundary=x' }],
      ['/run_program/', JSON.stringify(markedRun(token)).slice(0, -1)],
      ['/run_program/', ''],
      ['/run_program/', '\ufeff'],
      ['/run_program/', '"x"'],
      ['/run_program/', 'null'],
      ['/run_program/', `{"mode":"compile","name":"x","files":[{"basename":"\\ud800.c","contents":""}]}`],
    ],
  ),
  {
    name: 'a gzip bomb',
    tries: 'Sends a small compressed body that is a GiB in full.',
    async attack(world, token) {
      // Consecutive gzip members form one stream: 1 MiB that expands to 1 GiB.
      const bomb = Buffer.concat(Array<Buffer>(256).fill(gzipSync(Buffer.alloc(4 << 20, ' '))));
      const widgets = world.service.widgets.map(({ process }) => process);
      const grown = await growthOf(widgets, async () => {
        for (const [body, encoding] of [
          [bomb, 'gzip'],
          [gzipSync(JSON.stringify(RUN)), 'gzip, gzip'],
        ] as const) {
          const { status } = await send(world, token, '/run_program/', body, {
            ...JSON_TYPE,
            'content-encoding': encoding,
          });
          held(status >= 400, `a compressed body was taken: ${encoding}`);
        }
      });
      held(grown < WIDGET_MAY_GROW, `${Math.round(grown / 1024 / 1024)} MiB more in the widget`);
    },
  },
  refusing('too much', 'Sends more than each limit: a count, a file, a name, a number of lab cases.', (token) => [
    [
      '/run_program/',
      JSON.stringify({
        ...markedRun(token),
        files: Array.from({ length: 101 }, (_, i) => ({ basename: `${token}${i}.c`, contents: '' })),
      }),
    ],
    [
      '/run_program/',
      JSON.stringify({ ...markedRun(token), files: [{ basename: 'main.c', contents: '☃'.repeat(50_001) }] }),
    ],
    [
      '/run_program/',
      JSON.stringify({ ...markedRun(token), files: [{ basename: `${'n'.repeat(300)}.c`, contents: '' }] }),
    ],
    ['/run_program/', JSON.stringify({ ...markedRun(token), name: 'n'.repeat(100_000) })],
    [
      '/run_program/',
      JSON.stringify({
        ...markedRun(token),
        files: [
          ...markedRun(token).files,
          { basename: 'lab_io.txt', contents: Array.from({ length: 51 }, (_, i) => `in${i}: a`).join('\n') },
        ],
      }),
    ],
    [
      '/download/',
      JSON.stringify({
        ...markedRun(token),
        files: Array.from({ length: 101 }, (_, i) => ({ basename: `${token}${i}.c`, contents: '' })),
      }),
    ],
  ]),
  {
    name: 'an endless body',
    tries: 'Announces, and then begins to send, a body of more than is taken.',
    async attack(world, token) {
      for (const head of ['Content-Length: 5242880', 'Content-Length: 999999999999', 'Transfer-Encoding: chunked']) {
        const chunk = head.startsWith('T') ? `500000\r\n${' '.repeat(0x500000)}\r\n` : '{';
        const answer = await sendRaw(
          world,
          token,
          `POST /run_program/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${head}\r\n\r\n${chunk}`,
        );
        held(answer.startsWith('HTTP/1.1 413'), `${head} is answered with: ${answer.slice(0, 100)}`);
      }
    },
  },
  {
    name: 'header tricks',
    tries:
      'Sends requests whose end or length two parsers see in different places, and headers that name other people.',
    async attack(world, token) {
      const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
      for (const head of [
        'Content-Length: 5\r\nTransfer-Encoding: chunked',
        'Content-Length: 5\r\nContent-Length: 6',
        'Transfer-Encoding: xchunked',
        'Content-Length: -1',
        'Content-Length: 1e3',
        'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
        `X: ${'a'.repeat(100_000)}`,
        'Content-Length : 5',
        'A\0: b',
      ]) {
        const answer = await sendRaw(
          world,
          token,
          `POST /run_program/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${head}\r\n\r\n0\r\n\r\n${smuggled}`,
        );
        const answers = answer.match(/HTTP\/1\.1 \d+/g) ?? [];
        held(
          answers.length <= 1 || !/404/.test(answers[1] ?? ''),
          `a second request was seen behind ${head.slice(0, 60)}`,
        );
        held(!/^HTTP\/1\.1 200/.test(answer), `taken: ${head.slice(0, 60)}`);
      }
      for (const [name, value] of [
        ['x-forwarded-host', 'evil.example'],
        ['x-http-method-override', 'DELETE'],
        ['x-original-url', '/admin'],
        ['origin', 'null'],
        ['access-control-request-method', 'TRACE'],
      ] as const) {
        const answer = await fetch(`${world.service.base}/`, { headers: { [name]: value } });
        held(
          answer.status === 200 && !JSON.stringify([...answer.headers]).includes('evil'),
          `${name} changes the answer`,
        );
      }
    },
  },
  {
    name: 'zip slip',
    tries: 'Has a project downloaded whose files would be unpacked beside or above its folder.',
    async attack(world, token) {
      for (const basename of [
        '../x',
        '..\\x',
        '/etc/x',
        'C:\\x',
        'a/../../x',
        '..',
        '.',
        'x\0.c',
        'a:b',
        '\u2025/x',
        '%2e%2e%2fx',
        '....//x',
        '-rf',
        'CON',
        '..%c0%afx',
        'a\u2215..\u2215x',
      ]) {
        const response = await fetch(`${world.service.base}/download/`, {
          method: 'POST',
          headers: JSON_TYPE,
          body: JSON.stringify({ name: 'x', files: [{ basename, contents: token }] }),
        });
        if (response.status === 400) continue;
        for (const { name } of unzip(Buffer.from(await response.arrayBuffer()))) {
          held(!/[/\\:\0]/.test(name) && name !== '..' && name !== '.', `an entry called ${JSON.stringify(name)}`);
        }
      }
    },
  },
  {
    name: 'line breaks in a header',
    tries: 'Has the name of a download end its header and begin another.',
    async attack(world, token) {
      for (const name of [
        'x\r\nSet-Cookie: a=b',
        'x\nX-Evil: 1',
        'x"; filename="../../x',
        'x\u010d\u010aX-Evil: 1',
        'é☃"\\',
        '../../x',
        'x%0d%0aX-Evil: 1',
        '\u2028',
      ]) {
        const response = await fetch(`${world.service.base}/download/`, {
          method: 'POST',
          headers: JSON_TYPE,
          body: JSON.stringify({ name, files: RUN.files }),
        });
        world.recordAnswer(token, JSON.stringify([...response.headers]));
        held(response.status === 200 || response.status === 400, `an answer of ${response.status}`);
        held(!response.headers.has('set-cookie') && !response.headers.has('x-evil'), 'a header of its own');
        await response.arrayBuffer();
      }
    },
  },
  {
    name: 'paths',
    tries: 'Asks for paths that leave the routes: encoded, doubled, of other methods, as of a proxy.',
    async attack(world, token) {
      for (const line of [
        'GET http://127.0.0.1:15672/api HTTP/1.1',
        'CONNECT 127.0.0.1:5672 HTTP/1.1',
        'GET /../../../../etc/passwd HTTP/1.1',
        'GET /%2e%2e/%2e%2e/etc/shadow HTTP/1.1',
        'GET /run_program/..%2f..%2fetc HTTP/1.1',
        'TRACE / HTTP/1.1',
        'GET /%ff%00 HTTP/1.1',
        'PROPFIND / HTTP/1.1',
        'GET \\etc HTTP/1.1',
        'GET / HTTP/9.9',
        'PRI * HTTP/2.0',
      ]) {
        const answer = await sendRaw(
          world,
          token,
          `${line}\r\nHost: x\r\nX-Secret-Header: ${token}\r\nConnection: close\r\n\r\n`,
        );
        held(
          !answer.startsWith('HTTP/1.1 200') && !answer.includes('root:') && !answer.includes('AMQP'),
          `${line} is answered: ${answer.slice(0, 200)}`,
        );
      }
    },
  },
];
