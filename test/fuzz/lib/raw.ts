/** Raw requests that no client library sends: malformed ones, several in one, and noise. */
import { connect } from 'node:net';

import fc from 'fast-check';

import { checkRefusal, type Answer } from './answers.js';
import { anyBytes, bytesOf, nearly, nearlyJson } from './edits.js';
import { validRun } from './requests.js';

/** A server that is silent for this long has finished. */
const STILL_MS = 40;
/** Time for the server to close a connection that the client has ended. */
const CLOSE_MS = 15_000;
/** Possible statuses for malformed requests; 500 is not allowed. */
const STATUSES = new Set([200, 400, 404, 405, 408, 413, 415, 417, 429, 431, 501, 503]);

const requestLine = fc
  .tuple(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('GET', 'POST', 'HEAD', 'OPTIONS') },
      { weight: 1, arbitrary: fc.constantFrom('CONNECT', 'PRI', 'get', '', 'X'.repeat(500), 'PO ST') },
    ),
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('/', '/run_program/', '/check_output/', '/download/') },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          '*',
          'http://a/',
          '127.0.0.1:5672',
          '\\',
          '/%',
          `/${'p'.repeat(20_000)}`,
          '/ x',
          '//[',
          '/\xff',
        ),
      },
    ),
    fc.oneof(
      { weight: 6, arbitrary: fc.constant('HTTP/1.1') },
      { weight: 1, arbitrary: fc.constantFrom('HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', '', 'HTTP/1.1 x', 'RTSP/1.0') },
    ),
  )
  .map((parts) => parts.join(' '));

const header = fc.oneof(
  fc.constantFrom(
    'Host: x',
    'Content-Type: application/json',
    'Connection: close',
    'Connection: keep-alive',
    'Connection: Upgrade\r\nUpgrade: websocket',
    'Expect: 100-continue',
    'Expect: x',
  ),
  fc.constantFrom(
    'Content-Length: 5',
    'Content-Length: -1',
    'Content-Length: 1e3',
    'Content-Length: 99999999999',
    'Content-Length : 2',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: x, chunked',
    'Trailer: X',
  ),
  fc.constantFrom(
    'X',
    ': x',
    ' folded',
    'X:\0',
    `X: ${'v'.repeat(20_000)}`,
    Array(150).fill('A: b').join('\r\n'),
    'Origin: \xff',
    'Host: a\r\nHost: b',
    'Content-Encoding: gzip',
  ),
  anyBytes(20),
);

const body = fc.oneof(
  nearlyJson(validRun),
  fc.constantFrom(
    '',
    '0\r\n\r\n',
    '5\r\nhello\r\n0\r\n\r\n',
    'ffffffffff\r\n',
    '-1\r\n',
    '2;ext=1\r\n{}\r\n0\r\nX: y\r\n\r\n',
    'x',
  ),
  anyBytes(60),
);

/** A request whose length is given in one of two ways, correctly or not. */
const request = fc
  .tuple(
    requestLine,
    fc.array(header, { maxLength: 4 }),
    body,
    fc.constantFrom('length', 'length', 'chunks', 'not'),
    fc.constantFrom('\r\n', '\r\n', '\r\n', '\n'),
  )
  .map(([line, headers, content, told, newline]) => {
    const lengths = { length: [`Content-Length: ${content.length}`], chunks: ['Transfer-Encoding: chunked'], not: [] }[
      told
    ];
    const sent = told === 'chunks' ? `${content.length.toString(16)}\r\n${content}\r\n0\r\n\r\n` : content;
    return [line, 'Host: x', 'Content-Type: application/json', ...headers, ...lengths, '', sent].join(newline);
  });

export const rawInputs: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: request },
  { weight: 3, arbitrary: nearly(request) },
  { weight: 2, arbitrary: fc.array(request, { minLength: 2, maxLength: 4 }).map((each) => each.join('')) },
  { weight: 1, arbitrary: anyBytes(300) },
);

/** Throws unless the response consists of valid HTTP answers and the connection ends. */
export async function checkRaw(port: number, bytes: string): Promise<number[]> {
  const answers = parseAnswers(await exchange(port, bytesOf(bytes)));
  for (const answer of answers) {
    if (!STATUSES.has(answer.status))
      throw new Error(`an answer of ${answer.status}: ${answer.body.toString('latin1').slice(0, 500)}`);
    // The method is unknown here: an error without a body answers a HEAD request.
    if (answer.status >= 400) checkRefusal(answer, answer.body.length === 0 ? 'HEAD' : 'POST');
  }
  return answers.map(({ status }) => status);
}

function exchange(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = '';
    let still: NodeJS.Timeout | undefined;
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const late = setTimeout(
      () => socket.destroy(new Error(`open ${CLOSE_MS} ms after its client has ended it`)),
      CLOSE_MS,
    );
    const wait = () => {
      clearTimeout(still);
      still = setTimeout(() => socket.end(), STILL_MS);
    };
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
      wait();
    });
    socket.on('end', () => socket.end());
    // A server that closes early resets a connection with data in flight.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
    socket.on('close', () => {
      clearTimeout(still);
      clearTimeout(late);
      resolve(received);
    });
    socket.write(bytes);
    wait();
  });
}

/** Every answer in the bytes of a server. */
function parseAnswers(received: string): Answer[] {
  const answers: Answer[] = [];
  let rest = received;
  while (rest !== '') {
    const [head, status] = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(rest) ?? [];
    // The end of the connection may truncate an answer, but nothing may precede it.
    if (head === undefined && /^HTTP\/1\.1 \d{3} /.test(rest)) return answers;
    if (head === undefined) throw new Error(`no answer in HTTP: ${JSON.stringify(rest.slice(0, 300))}`);
    rest = rest.slice(head.length);
    if (status === '100') continue;
    const headers = Object.fromEntries(
      head
        .split('\r\n')
        .slice(1, -2)
        .map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const length = bodyLength(headers, rest);
    // A truncated answer does not count.
    if (length > rest.length) return answers;
    answers.push({ status: Number(status), headers, body: bytesOf(rest.slice(0, length)) });
    rest = rest.slice(length);
  }
  return answers;
}

/** The length of the body at the start of `rest`, in bytes; 0 for an answer to HEAD. */
function bodyLength(headers: Record<string, string>, rest: string): number {
  if (rest === '' || rest.startsWith('HTTP/1.1 ')) return 0;
  if (headers['content-length'] !== undefined) return Number(headers['content-length']);
  if (headers['transfer-encoding'] !== 'chunked') return rest.length;
  const end = rest.indexOf('\r\n0\r\n\r\n');
  return end < 0 ? Infinity : end + '\r\n0\r\n\r\n'.length;
}
