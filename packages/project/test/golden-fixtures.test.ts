import { describe, expect, it } from '@jest/globals';
import { DownloadRequest, RunProgramRequest } from '@code-widgets/protocol';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer, json } from 'node:stream/consumers';
import { Value } from 'typebox/value';

import { differences } from '../../../test/helpers/golden-differences.js';
import { loadFixtures, play, type Fixture, type Seen } from '../../../test/helpers/golden.js';
import { statements, unzip } from '../../../test/helpers/unzip.js';
import { archiveProject, contentDisposition, createProject } from '../src/project.js';
import { refusalOf } from './requests.js';

const fixtures = loadFixtures();
const named = (only: (fixture: Fixture) => boolean) => fixtures.filter(only).map((each) => [each.name, each] as const);
const fixtureOf = (name: string) => loadFixtures(new RegExp(`^${name}$`))[0] as Fixture;
/** What a client sees that gets exactly the expected answer; only for cases without patterns. */
const expectedOf = (name: string) => fixtureOf(name).expected as Seen;
const requestOf = (fixture: Fixture) => ('request' in fixture ? fixture.request : undefined);

describe('the golden cases', () => {
  it('are in files with their names', () => {
    const files = readdirSync(new URL('../../../test/fixtures/golden/', import.meta.url)).filter((file) =>
      file.endsWith('.json'),
    );
    expect(files.length).toBeGreaterThan(70);
    expect(files.sort()).toEqual(fixtures.map(({ name }) => `${name}.json`).sort());
  });

  it.each(named(() => true))('contain a request and an expectation: %s', (_, fixture) => {
    expect(fixture.note).not.toBe('');
    expect(fixture.kind === 'raw' ? fixture.path : fixture.request).toBeTruthy();
    expect(fixture.expected.status).toBeDefined();
    expect(fixture.expected.httpStatus !== undefined).toBe(fixture.kind === 'run');
    expect('recorded' in fixture).toBe(fixture.better !== undefined);
    for (const [, pattern] of JSON.stringify(fixture.expected).matchAll(/\{"\$match":("(?:[^"\\]|\\.)*")\}/g)) {
      expect(() => new RegExp(JSON.parse(pattern ?? '') as string)).not.toThrow();
    }
  });

  it.each(named((each) => Value.Check(RunProgramRequest, requestOf(each))))('match the project: %s', (_, fixture) => {
    const request = requestOf(fixture) as RunProgramRequest;
    if (fixture.expected.httpStatus === 200) {
      expect(() => createProject(request)).not.toThrow();
    } else {
      const { message, path } = refusalOf(request);
      const seen: Seen = {
        ...(fixture.expected as Seen),
        error: { headers: {}, body: { error: 'Bad Request', message, path } },
      };
      expect(differences(fixture.expected, seen).filter((line) => line.startsWith('error.body'))).toEqual([]);
    }
  });

  it.each(named((each) => each.kind === 'download' && Value.Check(DownloadRequest, requestOf(each))))(
    'get the expected archive: %s',
    async (_, fixture) => {
      const { name = 'project', files, switches } = requestOf(fixture) as DownloadRequest;
      const project = createProject({ name, files, ...(switches && { switches }) });
      const entries = unzip(await buffer(archiveProject(project))).map(({ name: file, content }) => {
        const text = content.toString();
        return [file, /^main\.(gpr|adc)$/.test(file) ? statements(text) : text] as const;
      });
      expect(Object.fromEntries(entries)).toEqual(fixture.expected.entries);
      expect(contentDisposition(name)).toBe(fixture.expected.headers?.['content-disposition']);
    },
  );
});

describe('the differences between expectation and result', () => {
  const run = expectedOf('stderr');
  const output = run.output ?? [];
  const withOutput = (...items: typeof output): Seen => ({ ...run, output: [...output.slice(0, 3), ...items] });
  const item = (type: 'stdout' | 'stderr', data: string, ref?: string) => ({
    msg: { type, data },
    ...(ref && { ref }),
  });
  /** Output of the program without its last line of stdout. */
  const before = output.slice(3, -2);
  const last = item('stderr', 'err 3\nerr without newline\n');
  const rightOut = item('stdout', 'out 3\n');

  it.each(named((each) => !JSON.stringify(each.expected).includes('$match')))(
    'are empty for the expected result: %s',
    (_, each) => {
      expect(differences(each.expected, each.expected as Seen)).toEqual([]);
    },
  );

  it.each(named((each) => each.better !== undefined))('show where the original service was worse: %s', (_, each) => {
    expect(differences(each.expected, each.recorded as Seen)).not.toEqual([]);
  });

  it.each<[string, Seen]>([
    ['a changed line', withOutput(...before, item('stdout', 'out 3!\n'), last)],
    ['a missing line', withOutput(...before, last)],
    ['an extra line', withOutput(...before, rightOut, last, item('stdout', 'out 4'))],
    ['another order of the streams', withOutput(...before, last, rightOut)],
    ['the wrong stream', withOutput(...before, item('stderr', 'out 3\n'), last)],
    ['the wrong lab case', withOutput(...before, item('stdout', 'out 3\n', '1'), last)],
    ['another command', { ...run, output: [{ msg: { type: 'console', data: 'gprbuild' } }, ...output.slice(1)] }],
    ['another exit status', { ...run, status: 1 }],
    ['another HTTP status', { ...run, httpStatus: 500 }],
    ['another state', { ...run, message: 'FAILURE' }],
    ['a task that never ends', { ...run, completed: false, gaveUp: true }],
    ['an error', { ...run, error: { headers: {}, body: {} } }],
    ['an extra answer', { ...run, then: [{ status: 200 }] }],
  ])('report %s', (_, seen) => {
    expect(differences(fixtureOf('stderr').expected, seen)).not.toEqual([]);
  });

  it('report unexpected headers, zip entries and verdicts', () => {
    const download = expectedOf('download-hello');
    const lab = expectedOf('lab-pass');
    const changed = JSON.stringify(lab).replace('"actual":" 6"', '"actual":" 7"');
    expect(
      differences(download, { ...download, headers: { ...download.headers, 'content-disposition': 'x' } }),
    ).toHaveLength(1);
    expect(differences(download, { ...download, entries: { ...download.entries, 'more.adb': '' } })).toHaveLength(1);
    expect(differences(lab, JSON.parse(changed) as Seen)).toEqual([expect.stringContaining('" 6", saw " 7"')]);
  });

  it('are empty if items are split differently', () => {
    const cut = withOutput(
      item('stdout', 'out 1\r\n\n'),
      ...output.slice(4, -1),
      item('stderr', 'err 3\n'),
      item('stderr', 'err without newline'),
    );
    expect(differences(fixtureOf('stderr').expected, cut)).toEqual([]);
  });

  it("are empty if only a list's order or a type's charset differs", () => {
    const expected = { status: 405, headers: { allow: 'OPTIONS, POST', 'content-type': 'application/json' } };
    const headers = { allow: 'post,options', 'content-type': 'application/json; charset=utf-8', location: '/' };
    expect(differences(expected, { status: 405, headers })).toEqual([]);
    expect(differences(expected, { status: 405, headers: { ...headers, allow: 'POST' } })).toHaveLength(1);
  });

  it('compare by patterns, and ignore unnamed members of an error', () => {
    const expected = {
      status: { $match: '^4' },
      headers: { allow: { $match: 'POST' } },
      body: { message: { $match: '^no ' } },
    };
    const seen = { status: 400, headers: { allow: 'GET, POST' }, body: { message: 'no such mode' } };
    expect(differences(expected, seen)).toEqual([]);
    expect(differences({ ...expected, status: 400 }, { ...seen, body: { ...seen.body, path: 'mode' } })).toEqual([]);
    expect(differences(expected, { status: 500, headers: {}, body: { message: 'yes' } })).toHaveLength(3);
  });
});

describe('the client', () => {
  it('polls with the number of items read, then sends the further requests', async () => {
    const item = { msg: { type: 'stdout', data: 'a' } };
    const polls: unknown[] = [];
    const server = createServer((request, response) => {
      void json(request).then((body) => {
        if (request.url === '/check_output/') polls.push(body);
        const completed = polls.length > 1;
        const state = {
          output: completed ? [] : [item],
          status: 0,
          completed,
          message: completed ? 'SUCCESS' : 'PENDING',
        };
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(request.url === '/run_program/' ? { identifier: 'i', message: 'Pending' } : state));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const seen = await play(base, fixtureOf('run-hello'), { pollMs: 1 });
      expect(seen).toMatchObject({ httpStatus: 200, message: 'SUCCESS', completed: true, output: [item] });
      expect(seen.then).toHaveLength(3);
      expect(polls).toEqual(
        [0, 1, 1, 0, undefined].map((read) => ({ identifier: 'i', ...(read !== undefined && { read }) })),
      );
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
