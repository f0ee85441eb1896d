/** What the image and the worker prepare for gprbuild makes it faster, and nothing else. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Value } from 'typebox/value';

import { BUILD_COMMAND, createProject, type Project, ProjectError } from '@code-widgets/project';
import { RunProgramRequest } from '@code-widgets/protocol';

import { gprbuild } from '../../apps/worker/src/toolchain/gprbuild.js';
import { createRandom, type Random } from '../chaos/random.js';
import { loadFixtures } from '../helpers/golden.js';
import { collect, containers, profiles, sandbox, shell } from './sandbox-harness.js';

jest.setTimeout(60_000);

beforeAll(() => sandbox.check());
afterAll(async () => {
  await sandbox.close();
  expect(await containers()).toEqual([]);
});

/** More by hand, after a change to the image: PROGRAMS=200. */
const PROGRAMS = Number(process.env.PROGRAMS ?? 16);
/** Without what the profile of a build sets. */
const BARE = 'unset GLIBC_TUNABLES; PATH=/usr/bin:/bin; exec "$@"';

/** The golden programs, most of them spoilt in one place: they have errors or warnings then, of every tool. */
function spoiltPrograms(count: number): Project[] {
  const requests = loadFixtures()
    .flatMap((fixture) => (fixture.kind === 'run' ? [fixture.request] : []))
    .filter(
      (request): request is RunProgramRequest => Value.Check(RunProgramRequest, request) && request.files.length > 0,
    );
  const random = createRandom(1);
  const projects: Project[] = [];
  for (let tries = 0; projects.length < count && tries < 20 * count; tries++) {
    const request = random.pick(requests);
    try {
      const project = createProject({ ...request, files: spoil(request.files, random) });
      if (project.languages.length > 0) projects.push(project);
    } catch (error) {
      if (!(error instanceof ProjectError)) throw error; // The service refuses it.
    }
  }
  return projects;
}

/** Without a few characters, or a line, of one file; or without the file; or as it was. */
function spoil(files: RunProgramRequest['files'], random: Random): RunProgramRequest['files'] {
  const spoilt = random.pick(files);
  const { contents } = spoilt;
  const at = random.below(contents.length);
  const lineEnd = contents.indexOf('\n', at);
  const kinds = [
    () => contents.slice(0, at) + contents.slice(at + 1 + random.below(3)),
    () => contents.slice(0, contents.lastIndexOf('\n', at) + 1) + (lineEnd < 0 ? '' : contents.slice(lineEnd + 1)),
    () => contents,
  ];
  const text = random.pick(kinds)();
  return files.length > 1 && random.below(10) === 0
    ? files.filter((file) => file !== spoilt)
    : files.map((file) => (file === spoilt ? { ...file, contents: text } : file));
}

describe('a build', () => {
  const projects = spoiltPrograms(PROGRAMS);

  it('is tried with as many programs as were asked for', () => expect(projects).toHaveLength(PROGRAMS));

  it.each(projects.map((project, i) => [i, project] as const))(
    'says what a bare gprbuild says: program %i',
    async (_, { files, main, languages }) => {
      const build = (command: { argv: readonly string[]; environment?: Record<string, string> }) =>
        collect(sandbox, { profile: profiles.build, ...command, files, ...(main && { copyOut: main.executable }) });
      const { argv } = BUILD_COMMAND;
      const [ours, bare] = [
        await build(gprbuild(argv, languages)),
        await build({ argv: ['sh', '-c', BARE, 'sh', ...argv] }),
      ];
      // Its debug information names the switches, of which the service's configuration has one more.
      const seen = ({ stdout, stderr, status, copiedOut }: typeof ours) => ({
        stdout,
        stderr,
        status,
        isBuilt: copiedOut !== undefined,
      });
      expect(seen(ours)).toEqual(seen(bare));
    },
  );

  it('is given a knowledge base of nothing but targets', async () => {
    const [path = ''] = gprbuild(BUILD_COMMAND.argv, ['Ada']).argv;
    const { stdout } = await shell(`ls "$(dirname ${path})/../share/gprconfig"`);
    expect(stdout).toBe('fallback_targets.xml\ntargetset.xml\n');
  });

  it('has the whole one where it has to find its configuration', async () => {
    const { argv, environment } = gprbuild(BUILD_COMMAND.argv, []);
    expect(environment).toEqual({});
    expect(await shell(`command -v ${argv[0]}; env | grep GPR_CONFIG`)).toMatchObject({
      stdout: '/usr/bin/gprbuild\n',
      status: 1,
    });
  });
});
