/** Compares builds with the prepared gprbuild configuration to builds by a bare gprbuild. */
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

/** Raise it after a change to the image: PROGRAMS=200. */
const PROGRAMS = Number(process.env.PROGRAMS ?? 16);
/** Removes the settings of the build profile. */
const BARE = 'unset GLIBC_TUNABLES; PATH=/usr/bin:/bin; exec "$@"';

/** Golden programs, most with one random edit, so that every tool reports errors or warnings. */
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
      if (!(error instanceof ProjectError)) throw error; // The service refuses this project.
    }
  }
  return projects;
}

/** Removes some characters, a line or a whole file; sometimes leaves the files unchanged. */
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

describe('a build with the prepared configuration', () => {
  const projects = spoiltPrograms(PROGRAMS);

  it('covers the requested number of programs', () => expect(projects).toHaveLength(PROGRAMS));

  it.each(projects.map((project, i) => [i, project] as const))(
    'has the output and status of a bare gprbuild: program %i',
    async (_, { files, main, languages }) => {
      const build = (command: { argv: readonly string[]; environment?: Record<string, string> }) =>
        collect(sandbox, { profile: profiles.build, ...command, files, ...(main && { copyOut: main.executable }) });
      const { argv } = BUILD_COMMAND;
      const [ours, bare] = [
        await build(gprbuild(argv, languages)),
        await build({ argv: ['sh', '-c', BARE, 'sh', ...argv] }),
      ];
      // The debug information contains the switches, and our configuration has one switch more.
      const seen = ({ stdout, stderr, status, copiedOut }: typeof ours) => ({
        stdout,
        stderr,
        status,
        isBuilt: copiedOut !== undefined,
      });
      expect(seen(ours)).toEqual(seen(bare));
    },
  );

  it('has a knowledge base of targets only', async () => {
    const [path = ''] = gprbuild(BUILD_COMMAND.argv, ['Ada']).argv;
    const { stdout } = await shell(`ls "$(dirname ${path})/../share/gprconfig"`);
    expect(stdout).toBe('fallback_targets.xml\ntargetset.xml\n');
  });

  it('has the whole knowledge base if the project has no language', async () => {
    const { argv, environment } = gprbuild(BUILD_COMMAND.argv, []);
    expect(environment).toEqual({});
    expect(await shell(`command -v ${argv[0]}; env | grep GPR_CONFIG`)).toMatchObject({
      stdout: '/usr/bin/gprbuild\n',
      status: 1,
    });
  });
});
