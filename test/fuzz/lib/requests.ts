/** Requests that Node's client can send: valid ones and variations of them. */
import fc from 'fast-check';

import { MODES } from '@code-widgets/protocol';

import { anyBytes, nearlyJson, strangeNumber, strangeText, type Json } from './edits.js';

export interface Input {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** In Latin-1, one character per byte. */
  readonly body: string;
}

/** Usually one of the usual values. */
const mostly = <T>(usual: fc.Arbitrary<T>, strange: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: strange });

const file = fc.record({
  basename: mostly(
    fc.constantFrom('main.adb', 'a.c', 'b.cpp', 'x.ads', 'cli.txt', 'lab_io.txt', 'data.txt'),
    strangeText,
  ),
  contents: mostly(
    fc.constantFrom(
      'procedure Main is begin null; end Main;',
      'int main(void) {\n return 0; }\n',
      'in1: a b\nout1: c\n',
      '☃'.repeat(100),
    ),
    strangeText,
  ),
});
const files = mostly(
  fc.uniqueArray(file, { maxLength: 4, selector: ({ basename }) => basename }),
  fc.array(file, { maxLength: 5 }),
);
const name = mostly(fc.constantFrom('Demo', 'é☃', ''), strangeText);
const switches = fc.dictionary(
  fc.oneof(fc.constantFrom('Compiler', 'Builder', 'Linker'), strangeText),
  fc.array(fc.oneof(fc.constantFrom('-g', '-gnata', '-O3', '-fplugin=./x.so'), strangeText), { maxLength: 4 }),
  { maxKeys: 3 },
);

export const validRun: fc.Arbitrary<Json> = fc.record(
  {
    files,
    mode: fc.constantFrom(...MODES),
    main: mostly(fc.constant(''), strangeText),
    switches,
    name,
    lab: fc.boolean(),
  },
  { requiredKeys: ['files', 'mode'] },
);
const validDownload: fc.Arbitrary<Json> = fc.record({ files, switches, name }, { requiredKeys: ['files'] });

/** Stands for the identifier of a recently accepted task. */
export const LIVE = 'LIVE';
const identifier = fc.oneof(
  fc.constant(LIVE),
  fc.uuid(),
  fc.constantFrom(
    '00000000-0000-0000-0000-000000000000',
    'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
    'x'.repeat(300),
    'tasks',
    '*',
    '#',
  ),
  strangeText,
);
const validPoll: fc.Arbitrary<Json> = fc.record(
  { identifier, read: mostly(fc.nat(50), strangeNumber) },
  { requiredKeys: ['identifier'] },
);

/** Valid header text for Node's client. */
const headerText = fc.string({
  maxLength: 40,
  unit: fc
    .integer({ min: 0x20, max: 0xff })
    .filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
});
const typeHeader = fc.oneof(
  { weight: 12, arbitrary: fc.constant('application/json') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'application/json; charset=utf-8',
      'application/json;charset="UTF-16"',
      'text/plain',
      'application/json5',
      'multipart/form-data; boundary=x',
      '',
      'a',
      '*/*',
    ),
  },
  { weight: 1, arbitrary: headerText },
);
const otherHeaders = fc.dictionary(
  fc.constantFrom(
    'accept',
    'origin',
    'x-forwarded-for',
    'content-encoding',
    'authorization',
    'cookie',
    'expect',
    'range',
    'if-none-match',
    'x-http-method-override',
    'access-control-request-method',
    'access-control-request-headers',
    'te',
    'accept-version',
    'x-' + 'long'.repeat(20),
  ),
  fc.oneof(
    fc.constantFrom(
      '*',
      'null',
      'gzip',
      'identity',
      '100-continue',
      '127.0.0.1',
      '::1',
      '300.0.0.1, x',
      'bytes=0-',
      'DELETE',
    ),
    headerText,
  ),
  { maxKeys: 3 },
);
const headers = fc
  .tuple(typeHeader, fc.oneof({ weight: 5, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: otherHeaders }))
  .map(([type, others]) => ({ 'content-type': type, ...others }));

const query = fc.oneof(
  { weight: 9, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.constantFrom('?', '?a=b', '?__proto__=1', '?a=%ff', `?${'a'.repeat(2000)}`) },
);

/** POST requests to one route, with a valid or nearly valid body. */
const posts = (path: string, value: fc.Arbitrary<Json>): fc.Arbitrary<Input> =>
  fc.record({
    method: fc.constant('POST'),
    path: fc.tuple(fc.constantFrom(path, path, path, path.slice(0, -1)), query).map((parts) => parts.join('')),
    headers,
    body: fc.oneof({ weight: 9, arbitrary: nearlyJson(value) }, { weight: 1, arbitrary: anyBytes(200) }),
  });

export const runs = posts('/run_program/', validRun);
export const polls = posts('/check_output/', validPoll);
export const downloads = posts('/download/', validDownload);

const anyPath = fc.oneof(
  fc.constantFrom(
    '/',
    '//',
    '/run_program/',
    '/check_output',
    '/download/',
    '/RUN_PROGRAM/',
    '/run_program//',
    '/x',
    '/..',
    '/%2e%2e/',
    '/%',
    '/%ff',
    '/*',
    '/index.html',
    '/download/;x',
    '/run_program/#y',
  ),
  fc.string({ unit: 'binary', maxLength: 30 }).map((text) => `/${encodeURIComponent(text.toWellFormed())}`),
);
/** Any method on any path. */
export const others: fc.Arbitrary<Input> = fc.record({
  method: fc.constantFrom(
    'GET',
    'GET',
    'GET',
    'HEAD',
    'OPTIONS',
    'PUT',
    'PATCH',
    'DELETE',
    'POST',
    'TRACE',
    'PROPFIND',
    'LOCK',
    'M-SEARCH',
  ),
  path: fc.oneof(
    { weight: 1, arbitrary: fc.constant('/') },
    { weight: 2, arbitrary: fc.tuple(anyPath, query).map((parts) => parts.join('')) },
  ),
  headers,
  // No body that fits a route, since those are tried above.
  body: fc.oneof(fc.constantFrom('', '{}', 'null', '[]'), anyBytes(50)),
});
