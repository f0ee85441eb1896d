import { afterAll, describe, expect, it } from '@jest/globals';

import { appWith, closeApps, HELLO, post, RUN } from './app-with.js';

afterAll(closeApps);

const JSON_TYPE = { headers: { 'content-type': 'application/json' } };
const TEXT = JSON.stringify(RUN);
/** A run with one more member, as text that JSON.stringify cannot produce. */
const withMember = (member: string) => `{${member},${TEXT.slice(1)}`;
const many = (count: number) => Array.from({ length: count }, (_, i) => i);
const nested = (depth: number, [open, close] = ['[', ']']) => `${open}`.repeat(depth) + `${close}`.repeat(depth);

describe('a body', () => {
  it.each<[string, string, RegExp]>([
    ['100,000 nested lists', withMember(`"x":${nested(100_000)}`), /more than 32 deep/],
    ['two million nested lists', nested(2_000_000), /more than 32 deep/],
    [
      '100,000 nested objects',
      withMember(`"x":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`),
      /more than 32 deep/,
    ],
    ['nested lists without an end', '['.repeat(4_000_000), /more than 32 deep/],
    ['a million objects', withMember(`"x":[${Array(1_000_000).fill('{}').join()}]`), /more than 20000 values/],
    ['a million numbers', withMember(`"x":[${Array(1_000_000).fill('0').join()}]`), /more than 20000 values/],
    [
      '20,000 members',
      withMember(
        many(20_000)
          .map((i) => `"x${i}":0`)
          .join(),
      ),
      /more than 20000 values/,
    ],
    ['a prototype', withMember('"__proto__":{"polluted":1}'), /__proto__/],
    ['an escaped prototype', withMember('"\\u005f_proto__":{"polluted":1}'), /__proto__/],
    ['a nested prototype', withMember('"x":[{"y":{"__proto__":["-g"]}}]'), /__proto__/],
    ['a prototype of a constructor', withMember('"constructor":{"prototype":{"polluted":1}}'), /constructor/],
    ['only a space', ' ', /not valid JSON/],
    ['NaN', withMember('"x":NaN'), /not valid JSON/],
    ['two values', `${TEXT}${TEXT}`, /not valid JSON/],
    ['null', 'null', /must be object/],
  ])('is refused with %s', async (_, payload, message) => {
    const { app, submitted } = await appWith();
    const answer = await post(app, '/run_program/', payload, JSON_TYPE);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toEqual({ error: 'Bad Request', message: expect.stringMatching(message) });
    expect(submitted).toEqual([]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it.each<[string, string]>([
    ['brackets in a string', withMember(`"x":"${'['.repeat(1000)}\\"${'{'.repeat(1000)}\\\\"`)],
    ['a thousand lists side by side', withMember(`"x":[${Array(1000).fill('[]').join()}]`)],
    [
      'the maximum number of switches, and commas in a string',
      withMember(`"x":[${Array(10_000).fill('"-g"').join()},"${','.repeat(100_000)}"]`),
    ],
    ['a few nested lists', withMember(`"x":${nested(20)}`)],
    ['a byte order mark', `\ufeff${TEXT}`],
    ['names of Object.prototype as members', withMember('"constructor":1,"toString":2,"hasOwnProperty":3')],
  ])('is accepted with %s', async (_, payload) => {
    const { app, submitted } = await appWith();
    expect((await post(app, '/run_program/', payload, JSON_TYPE)).statusCode).toBe(200);
    expect(submitted[0]?.request).toEqual(RUN);
  });

  it('uses the last of several members with the same name', async () => {
    const { app, submitted } = await appWith();
    expect((await post(app, '/run_program/', withMember('"mode":"prove","files":7'), JSON_TYPE)).statusCode).toBe(200);
    expect(submitted[0]?.request).toEqual(RUN);
  });

  it.each([
    ['UTF-16, declared', Buffer.from(TEXT, 'utf16le'), 'application/json; charset=utf-16'],
    ['UTF-16, not declared', Buffer.from(TEXT, 'utf16le'), 'application/json'],
    ['Latin-1, declared', Buffer.from(withMember('"x":"é"'), 'latin1'), 'application/json; charset="ISO-8859-1"'],
    ['Latin-1', Buffer.from(withMember('"x":"é"'), 'latin1'), 'application/json'],
    ['a truncated character', Buffer.concat([Buffer.from(TEXT), Buffer.from([0xe2, 0x98])]), 'application/json'],
    ['another type', Buffer.from(TEXT), 'application/x-www-form-urlencoded'],
    ['another type that ends in json', Buffer.from(TEXT), 'application/ld+json'],
  ])('is refused in %s', async (_, payload, type) => {
    const { app } = await appWith();
    const answer = await post(app, '/run_program/', payload, { headers: { 'content-type': type } });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toEqual({ error: 'Bad Request', message: expect.stringMatching(/^The body /) });
  });
});

describe('the members of a run', () => {
  const names = (count: number) => many(count).map((i) => `-g${i}`);
  it.each<[string, object, RegExp]>([
    ['packages of switches', { switches: Object.fromEntries(names(101).map((name) => [name, []])) }, /100 properties/],
    ['switches', { switches: { Compiler: names(101) } }, /100 items/],
    ['files', { files: names(101).map((basename) => ({ basename, contents: '' })) }, /100 allowed/],
  ])('are limited to a hundred: %s', async (_, more, message) => {
    const { app } = await appWith();
    const answer = await post(app, '/run_program/', { ...RUN, ...more });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({
      message: expect.stringMatching(message),
      path: expect.stringMatching(/^(switches|files)/),
    });
  });

  it.each([
    ['a file name with NUL', { files: [{ ...HELLO, basename: 'a\0.adb' }] }],
    ['a file name with a lone surrogate', { files: [{ ...HELLO, basename: 'a\ud800.adb' }] }],
    ['a project name with NUL', { name: 'a\0' }],
    ['a project name with a lone surrogate', { name: '\udfff' }],
    ['a main with NUL', { main: 'hello.adb\0' }],
    ['a mode of one million characters', { mode: 'x'.repeat(1_000_000) }],
    ['a main of one million characters', { main: 'x'.repeat(1_000_000) }],
    ['a name of one million characters', { name: 'x'.repeat(1_000_000) }],
  ])('are refused with a short message: %s', async (_, more) => {
    const { app } = await appWith();
    const answer = await post(app, '/run_program/', { ...RUN, ...more });
    expect(answer.statusCode).toBe(400);
    expect(answer.body.length).toBeLessThan(500);
  });
});

describe('read', () => {
  it.each(['1e999', '-1', '-1e308', '1.5', '"1"', 'true', '[0]'])('is refused as %s', async (read) => {
    const { app } = await appWith();
    const answer = await post(app, '/check_output/', `{"identifier":"x","read":${read}}`, JSON_TYPE);
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ path: 'read' });
  });
});
