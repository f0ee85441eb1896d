/** The build cache with the real engine and compilers. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { buildCachePolicy } from '../../apps/worker/src/toolchain/gprbuild.js';
import type { SourceFile } from '../../packages/sandbox/src/job.js';
import { IMAGE_KNOWN_MS, type Sandbox, type SandboxOptions } from '../../packages/sandbox/src/sandbox.js';
import { eventually } from '../helpers/eventually.js';
import {
  address,
  buildJob,
  collect,
  containers,
  createTestSandbox,
  movingName,
  profilesFor,
  recordCalls,
  warnings,
  type Changes,
  type MovingName,
} from './sandbox-harness.js';

jest.setTimeout(60_000);
const MIB = 1024 * 1024;
/** Time for a launcher to report that it is ready, on a slow machine. */
const READY_MS = 2_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), `code-widgets-${process.env.RUN_ID ?? 'builds'}-`));
});
afterEach(() => rmSync(folder, { recursive: true }));

const sandboxes: Sandbox[] = [];
afterAll(() => Promise.all(sandboxes.map((each) => each.close())));
function newSandbox(engine: { dockerHost?: string } = address, more: Partial<SandboxOptions> = {}): Sandbox {
  const sandbox = createTestSandbox(engine, undefined, {
    cache: { folder, maxBytes: 100 * MIB, policy: buildCachePolicy('build') },
    ...more,
  });
  sandboxes.push(sandbox);
  return sandbox;
}

const PROJECT = {
  basename: 'main.gpr',
  contents: 'project Main is\n for Main use ("main.c");\n for Languages use ("c");\nend Main;\n',
};
const program = (contents: string): SourceFile[] => [{ basename: 'main.c', contents }, PROJECT];
const build = (sandbox: Sandbox, files: SourceFile[], argv = buildJob(files).argv, changes: Changes = {}) =>
  collect(sandbox, { ...buildJob(files), argv }, changes);
/** Builds with a worker that then ends. */
const buildFirst = async (files: SourceFile[]) => {
  const sandbox = newSandbox();
  const end = await build(sandbox, files);
  await sandbox.close();
  return end;
};
/** Removes what may differ: time, chunks of the executable, and the image that it ran in. */
const comparable = ({ copiedOut, ...end }: Awaited<ReturnType<typeof build>>) => ({
  ...end,
  ms: 0,
  ranInImage: undefined,
  copiedOut: copiedOut && Buffer.concat(copiedOut),
});
/** Counts the containers created by `use`. */
const containersFor = async (use: (sandbox: Sandbox) => Promise<unknown>) => {
  const calls = await recordCalls(async (engine) => {
    const sandbox = newSandbox(engine);
    await use(sandbox);
    await sandbox.close();
  });
  return calls.filter(({ path }) => path.includes('/containers/create')).length;
};

const HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); }\n';

describe('a repeated build', () => {
  it.each([
    ['a successful build', program(HELLO)],
    ['a build with warnings', program('int main(void) { int x; return x; }\n#warning "take care"\n')],
    ['a build with errors', program('int main(void) { return y; }\n')],
    ['a build that fails to link', program('int f(void); int main(void) { return f(); }\n')],
  ])('returns identical bytes without a container: %s', async (_, files) => {
    const first = await buildFirst(files);
    let second: typeof first | undefined;
    expect(await containersFor(async (sandbox) => (second = await build(sandbox, files)))).toBe(0);
    expect(comparable(second as typeof first)).toEqual(comparable(first));
    expect(first.status === 0).toBe(first.copiedOut !== undefined);
  });

  it.each<[string, (sandbox: Sandbox) => Promise<unknown>]>([
    ['a file has other contents', (sandbox) => build(sandbox, program(`${HELLO} `))],
    [
      'a file has another name',
      (sandbox) => build(sandbox, [...program(HELLO).slice(0, 1), { ...PROJECT, basename: 'other.gpr' }]),
    ],
    ['a file is added', (sandbox) => build(sandbox, [...program(HELLO), { basename: 'a.h', contents: '' }])],
    [
      'the command differs',
      (sandbox) => build(sandbox, program(HELLO), buildJob([], ['gprbuild', '-P', 'main.gpr']).argv),
    ],
  ])('runs again if %s', async (_, again) => {
    await buildFirst(program(HELLO));
    expect(await containersFor(again)).toBe(1);
  });

  it.each([
    ['asks for the time', '#include <stdio.h>\nint main(void) { puts(__TIME__); }\n'],
    ['asks for the date', '#include <stdio.h>\nint main(void) { puts(__DATE__); }\n'],
  ])('runs again if the program %s', async (_, text) => {
    await buildFirst(program(text));
    expect(await containersFor((sandbox) => build(sandbox, program(text)))).toBe(1);
  });

  it('runs again if its messages contain the random name of a temporary file', async () => {
    const assembling = ['sh', '-c', 'echo "/workspace/tmp/ccGJyv9C.s:4: Error: symbol is already defined" >&2; exit 1'];
    expect(await build(newSandbox(), program(HELLO), assembling)).toMatchObject({ status: 1 });
    expect(await containersFor((sandbox) => build(sandbox, program(HELLO), assembling))).toBe(1);
  });

  it('runs again after a timeout', async () => {
    const slow = ['sh', '-c', 'sleep 2; exit 0'];
    expect(await build(newSandbox(), program(HELLO), slow, { timeMs: 500 })).toMatchObject({ limit: 'time' });
    const sandbox = newSandbox();
    expect(await build(sandbox, program(HELLO), slow)).toMatchObject({ status: 0 });
    await sandbox.close();
  });

  it('runs once for concurrent requests', async () => {
    let ends: Awaited<ReturnType<typeof build>>[] = [];
    expect(
      await containersFor(
        async (sandbox) => (ends = await Promise.all([1, 2, 3, 4].map(() => build(sandbox, program(HELLO))))),
      ),
    ).toBe(1);
    expect(new Set(ends.map(({ copiedOut }) => copiedOut && Buffer.concat(copiedOut).toString('base64'))).size).toBe(1);
  });

  it('ignores a modified cache file and logs a warning', async () => {
    const first = await buildFirst(program(HELLO));
    const [name = ''] = readdirSync(folder);
    const bytes = readFileSync(join(folder, name));
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 100) ^ 1, bytes.length - 100);
    writeFileSync(join(folder, name), bytes);
    const again = await buildFirst(program(HELLO));
    expect(comparable(again)).toEqual(comparable(first));
    expect(warnings).toContain('a kept build is not what was written: removed');
  });
});

describe('a build in an image whose name moves to another image', () => {
  let name: MovingName;
  beforeAll(async () => (name = await movingName()));
  afterAll(() => name?.remove());
  const others: Sandbox[] = [];
  afterEach(async () => {
    for (const each of others.splice(0)) await each.close();
    await name?.moveTo('old');
  });

  const open = (more: Partial<SandboxOptions> = {}) => {
    const sandbox = newSandbox(address, { profiles: Object.values(profilesFor(name.name)), ...more });
    others.push(sandbox);
    return sandbox;
  };
  const imageOf = async (sandbox: Sandbox, text: string) => {
    const job = { ...buildJob(program(text)), profile: profilesFor(name.name).build, argv: ['cat', '/image'] };
    return (await collect(sandbox, job)).stdout.trim();
  };

  it('is not cached under the image that the worker knew', async () => {
    const sandbox = open();
    await imageOf(sandbox, 'so that it knows the image');
    await name.moveTo('new');
    await imageOf(sandbox, HELLO);
    await sandbox.close();
    expect(warnings).toContain('a build may have been made in another image than was asked for: not cached');
    expect(await imageOf(open(), HELLO)).toBe('new');
    await name.moveTo('old');
    expect(await imageOf(open(), HELLO)).toBe('old');
  });

  it('is not cached under the new image if it ran in a warm container of the old one', async () => {
    const sandbox = open({ maxWarm: 1 });
    await eventually('two containers wait', async () => (await containers()).length >= 2, { limitMs: 30_000 });
    await sleep(READY_MS);
    await name.moveTo('new');
    await imageOf(sandbox, HELLO);
    await sandbox.close();
    expect(await imageOf(open(), HELLO)).toBe('new');
    await name.moveTo('old');
    expect(await imageOf(open(), HELLO)).toBe('old');
  });

  it('uses the new image after a short time, despite warm containers', async () => {
    const sandbox = open({ maxWarm: 1 });
    expect(await imageOf(sandbox, HELLO)).toBe('old');
    await name.moveTo('new');
    await sleep(IMAGE_KNOWN_MS);
    expect(await imageOf(sandbox, HELLO)).toBe('new');
    expect(await imageOf(sandbox, `${HELLO} `)).toBe('new');
  });
});
