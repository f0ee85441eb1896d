/** A sandbox on the real engine, and helpers that build and run small programs. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { BUILD_COMMAND } from '@code-widgets/project';
import Docker from 'dockerode';

import { readConfig } from '../../apps/worker/src/config.js';
import { stepTable, type StepKind } from '../../apps/worker/src/step-table.js';
import { gprbuild } from '../../apps/worker/src/toolchain/gprbuild.js';
import { NAMESPACE_LABEL, type Confining } from '../../packages/sandbox/src/container-options.js';
import { engineOptions } from '../../packages/sandbox/src/docker-runtime.js';
import { isGvisor } from '../../packages/sandbox/src/gvisor.js';
import type { SourceFile } from '../../packages/sandbox/src/job.js';
import {
  createSandbox,
  type BytePieces,
  type ExecuteOptions,
  type Job,
  type JobResult,
  type Profile,
  type Sandbox,
  type SandboxOptions,
} from '../../packages/sandbox/src/sandbox.js';
import { environment } from '../helpers/environment.js';
import { httpProxy, type Call } from '../helpers/http-proxy.js';

const dockerHost = process.env.DOCKER_HOST;
export const address = dockerHost === undefined || dockerHost === '' ? {} : { dockerHost };
export const docker = new Docker(engineOptions(address));
export const namespace = `${environment('NAMESPACE')}-sandbox-${randomUUID()}`;
export const warnings: string[] = [];
/** The runtime of this test run; empty for the engine's default. */
export const runtime = process.env.SANDBOX_RUNTIME ?? '';
/** gVisor shows less in /proc. */
export const gvisor = isGvisor(runtime);

const buildImage = environment('SANDBOX_IMAGE');
const seccompProfile = readFileSync(new URL('../../docker/sandbox/seccomp.json', import.meta.url), 'utf8');

/** The worker's default profiles, with this image for builds and proofs. */
export function profilesFor(SANDBOX_IMAGE: string): Readonly<Record<StepKind, Profile>> {
  const { build, run, prove } = stepTable(readConfig({ SANDBOX_IMAGE, RUN_IMAGE: environment('RUN_IMAGE') }));
  return { build: build.profile, run: run.profile, prove: prove.profile };
}
export const profiles = profilesFor(buildImage);

export function createTestSandbox(
  engine: { dockerHost?: string } = address,
  under = runtime,
  more: Partial<SandboxOptions> = {},
): Sandbox {
  return createSandbox({
    ...engine,
    profiles: Object.values(profiles),
    seccompProfile,
    namespace,
    ...(under === '' ? {} : { runtime: under }),
    log: { warn: (_, message) => warnings.push(message) },
    ...more,
  });
}

/** Confinement for tests without a whole sandbox, under the engine's default runtime. */
export const confining: Confining = { seccompProfile, namespace };

export const sandbox = createTestSandbox();

/** Records the calls to the engine that `use` makes through the given address. */
export async function recordCalls(use: (engine: { dockerHost: string }) => Promise<unknown>): Promise<Call[]> {
  const folder = mkdtempSync(join(tmpdir(), `code-widgets-${process.env.RUN_ID ?? 'record'}-`));
  const calls: Call[] = [];
  const recorder = await httpProxy(() => [engineOptions(address)], {
    socketPath: join(folder, 'engine.sock'),
    onCall: (call) => calls.push(call),
  });
  try {
    await use({ dockerHost: recorder.address });
    return calls;
  } finally {
    recorder.close();
    rmSync(folder, { recursive: true });
  }
}

export async function containers(): Promise<{ Id: string; State: string; Image: string }[]> {
  return docker.listContainers({ all: true, filters: { label: [`${NAMESPACE_LABEL}=${namespace}`] } });
}

/** An image name that can move between two images, which contain their tag in the file /image. */
export interface MovingName {
  readonly name: string;
  /** Makes it the name of that image. */
  moveTo(image: 'old' | 'new'): Promise<void>;
  remove(): Promise<void>;
}

/** Creates a name that points to the old image. */
export async function movingName(): Promise<MovingName> {
  const repo = `${namespace}-moving`;
  const moveTo = async (image: string) => void (await docker.getImage(`${repo}:${image}`).tag({ repo, tag: 'moving' }));
  const remove = async () => {
    for (const tag of ['moving', 'old', 'new'])
      await docker
        .getImage(`${repo}:${tag}`)
        .remove({ force: true })
        .catch(() => undefined);
  };
  try {
    for (const image of ['old', 'new']) await makeImage(repo, image);
    await moveTo('old');
  } catch (error) {
    await remove();
    throw error;
  }
  return { name: `${repo}:moving`, moveTo, remove };
}

/** Builds an image with its tag in /image. */
async function makeImage(repo: string, tag: string): Promise<void> {
  const Entrypoint = ['/bin/sh', '-c', `echo ${tag} >/image`];
  const container = await docker.createContainer({
    Image: buildImage,
    Entrypoint,
    Labels: { [NAMESPACE_LABEL]: namespace },
  });
  try {
    await container.start();
    const { StatusCode } = (await container.wait()) as { StatusCode: number };
    if (StatusCode !== 0) throw new Error(`no /image in ${repo}:${tag}: ${StatusCode}`);
    await container.commit({ repo, tag, changes: 'ENTRYPOINT ["/usr/libexec/code-widgets/launcher"]' });
  } finally {
    await container.remove({ force: true });
  }
}

/** A job without limits, which `collect` adds. */
export type TestJob = Omit<Job, 'limits'>;
export type Changes = Partial<ExecuteOptions & Job['limits']>;

export interface Outcome extends JobResult {
  stdout: string;
  stderr: string;
}

/** Executes a job and resolves with its result and output. */
export async function collect(
  { execute }: Sandbox,
  job: TestJob,
  { timeMs = 20_000, outputBytes = 1 << 20, ...options }: Changes = {},
): Promise<Outcome> {
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const onOutput: ExecuteOptions['onOutput'] = (stream, bytes) => chunks[stream].push(Buffer.from(bytes));
  const end = await execute({ ...job, limits: { timeMs, outputBytes } }, { onOutput, ...options });
  const text = (stream: 'stdout' | 'stderr') => Buffer.concat(chunks[stream]).toString('latin1');
  return { ...end, stdout: text('stdout'), stderr: text('stderr') };
}

const LANGUAGES = new Map([
  ['adb', 'Ada'],
  ['c', 'c'],
  ['cpp', 'c++'],
]);

function withProject(main: SourceFile): SourceFile[] {
  const language = LANGUAGES.get(main.basename.split('.')[1] ?? '') ?? 'Ada';
  const project = `project Main is\n for Main use ("${main.basename}");\n for Languages use ("${language}");\nend Main;\n`;
  return [main, { basename: 'main.gpr', contents: project }];
}

export interface Program {
  executable: BytePieces;
  files: SourceFile[];
}

/** The worker's build job for a project with a language. */
export function buildJob(files: readonly SourceFile[], argv = BUILD_COMMAND.argv): TestJob {
  return { profile: profiles.build, ...gprbuild(argv, ['c']), files, copyOut: 'main' };
}

/** A job that runs a built program. */
export function runJob({ executable, files }: Program, words: readonly string[] = []): TestJob {
  return { profile: profiles.run, argv: ['./main', ...words], files, copyIn: { basename: 'main', pieces: executable } };
}

/** A job that runs a shell line instead of a build or proof; the image for programs has no shell. */
export function shellJob(line: string, copyOut?: string, profile = profiles.build): TestJob {
  return { profile, argv: ['sh', '-c', line], files: [], ...(copyOut !== undefined && { copyOut }) };
}

/** Builds a program from one source. */
export async function build(basename: string, contents: string): Promise<Program> {
  const files = withProject({ basename, contents });
  const { copiedOut, status, stdout, stderr } = await collect(sandbox, buildJob(files));
  if (copiedOut === undefined) throw new Error(`not built: ${status} ${stdout}${stderr}`);
  return { executable: copiedOut, files };
}

export async function run(program: Program, words: string[] = [], changes: Changes = {}): Promise<Outcome> {
  return collect(sandbox, runJob(program, words), changes);
}

export async function buildAndRun(basename: string, contents: string, changes: Changes = {}): Promise<Outcome> {
  return run(await build(basename, contents), [], changes);
}

export async function shell(line: string, copyOut?: string): Promise<Outcome> {
  // Under gVisor, a shell starts only thirty processes a second on a slow machine.
  return collect(sandbox, shellJob(line, copyOut), { timeMs: 50_000 });
}
