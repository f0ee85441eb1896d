/** A sandbox on the real engine, and short ways to build and run small programs in it. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NAMESPACE_LABEL } from '../../packages/sandbox/src/container-options.js';
import { createEngine, engineOptions } from '../../packages/sandbox/src/engine.js';
import { isGvisor } from '../../packages/sandbox/src/gvisor.js';
import { CONTAINER_LIMITS } from '../../packages/sandbox/src/limits.js';
import { createSandbox, type BuildEnd, type Executable, type Sandbox, type SandboxOptions, type SourceFile, type StepEnd, type StepOptions } from '../../packages/sandbox/src/sandbox.js';
import { environment } from '../helpers/environment.js';
import { recordingProxy, type Call } from '../helpers/recording-proxy.js';

const dockerHost = process.env.DOCKER_HOST;
export const address = dockerHost === undefined || dockerHost === '' ? {} : { dockerHost };
export const docker = createEngine(address);
export const namespace = `${environment('NAMESPACE')}-sandbox-${randomUUID()}`;
export const warnings: string[] = [];
/** Of the run; none for the engine's default. */
export const runtime = process.env.SANDBOX_RUNTIME ?? '';
/** gVisor tells less in /proc, and hides less of PID 1 there. */
export const gvisor = isGvisor(runtime);

const buildImage = environment('SANDBOX_IMAGE');
const runImage = environment('RUN_IMAGE');
const seccompProfile = readFileSync(new URL('../../docker/sandbox/seccomp.json', import.meta.url), 'utf8');

export function createTestSandbox(engine: { dockerHost?: string } = address, under = runtime, more: Partial<SandboxOptions> = {}): Sandbox {
  return createSandbox({
    ...engine,
    buildImage,
    runImage,
    seccompProfile,
    namespace,
    ...(under === '' ? {} : { runtime: under }),
    log: { warn: (_, message) => warnings.push(message) },
    ...more,
  });
}

/** For what is tested without a whole sandbox around it, under the engine's own runtime. */
export const contextOfTests = { images: { build: buildImage, prove: buildImage, run: runImage }, seccompProfile, namespace, limits: CONTAINER_LIMITS };

export const sandbox = createTestSandbox();

/** The calls of whatever `use` asks of the engine at the address that it is given. */
export async function recordCalls(use: (engine: { dockerHost: string }) => Promise<unknown>): Promise<Call[]> {
  const folder = mkdtempSync(join(tmpdir(), `code-widgets-${process.env.RUN_ID ?? 'record'}-`));
  const { socketPath, host, port } = engineOptions(address) as { socketPath?: string; host?: string; port?: number };
  const engine = socketPath === undefined ? { host: String(host), port: Number(port) } : { socketPath };
  const recorder = await recordingProxy(engine, join(folder, 'engine.sock'));
  try {
    await use(recorder);
    return recorder.calls;
  } finally {
    recorder.close();
    rmSync(folder, { recursive: true });
  }
}

export async function containers(): Promise<{ Id: string; State: string; Image: string }[]> {
  return docker.listContainers({ all: true, filters: { label: [`${NAMESPACE_LABEL}=${namespace}`] } });
}

/** A name for images that build, which tell themselves apart in the file /image. */
export interface MovingName {
  readonly name: string;
  /** Gives it to that image. */
  moveTo(image: 'old' | 'new'): Promise<void>;
  remove(): Promise<void>;
}

/** At first the old one's. */
export async function movingName(): Promise<MovingName> {
  const repo = `${namespace}-moving`;
  const moveTo = async (image: string) => void (await docker.getImage(`${repo}:${image}`).tag({ repo, tag: 'moving' }));
  const remove = async () => {
    for (const tag of ['moving', 'old', 'new']) await docker.getImage(`${repo}:${tag}`).remove({ force: true }).catch(() => undefined);
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

/** The image that builds, with its own tag in /image. */
async function makeImage(repo: string, tag: string): Promise<void> {
  const Entrypoint = ['/bin/sh', '-c', `echo ${tag} >/image`];
  const container = await docker.createContainer({ Image: buildImage, Entrypoint, Labels: { [NAMESPACE_LABEL]: namespace } });
  try {
    await container.start();
    const { StatusCode } = (await container.wait()) as { StatusCode: number };
    if (StatusCode !== 0) throw new Error(`no /image in ${repo}:${tag}: ${StatusCode}`);
    await container.commit({ repo, tag, changes: 'ENTRYPOINT ["/usr/libexec/code-widgets/launcher"]' });
  } finally {
    await container.remove({ force: true });
  }
}

export interface Outcome extends StepEnd {
  stdout: string;
  stderr: string;
}

/** Collects a step's output beside its end. */
export async function collect<T extends StepEnd>(
  step: (options: StepOptions) => Promise<T>,
  limits: Partial<StepOptions> = {},
): Promise<T & Outcome> {
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const end = await step({
    timeLimitMs: 20_000,
    outputLimitBytes: 1 << 20,
    onOutput: (stream, bytes) => chunks[stream].push(Buffer.from(bytes)),
    ...limits,
  });
  const text = (stream: 'stdout' | 'stderr') => Buffer.concat(chunks[stream]).toString('latin1');
  return { ...end, stdout: text('stdout'), stderr: text('stderr') };
}

const LANGUAGES = new Map([['adb', 'Ada'], ['c', 'c'], ['cpp', 'c++']]);

function withProject(main: SourceFile): SourceFile[] {
  const language = LANGUAGES.get(main.basename.split('.')[1] ?? '') ?? 'Ada';
  const project = `project Main is\n for Main use ("${main.basename}");\n for Languages use ("${language}");\nend Main;\n`;
  return [main, { basename: 'main.gpr', contents: project }];
}

export interface Program {
  executable: Executable;
  files: SourceFile[];
}

/** Builds a program of one source. */
export async function build(basename: string, contents: string): Promise<Program> {
  const files = withProject({ basename, contents });
  const command = ['gprbuild', '-q', '-P', 'main.gpr'];
  const end = await collect((options) => sandbox.build({ command, files, executable: 'main' }, options));
  if (end.executable === undefined) throw new Error(`not built: ${end.status} ${end.stdout}${end.stderr}`);
  return { executable: end.executable, files };
}

export async function run(program: Program, words: string[] = [], limits: Partial<StepOptions> = {}): Promise<Outcome> {
  return collect((options) => sandbox.run({ ...program, command: ['./main', ...words] }, options), limits);
}

export async function buildAndRun(basename: string, contents: string, limits: Partial<StepOptions> = {}): Promise<Outcome> {
  return run(await build(basename, contents), [], limits);
}

/** A shell line in the place of the build; programs have no shell. */
export async function shell(line: string, executable?: string): Promise<Outcome & BuildEnd> {
  const request = { command: ['sh', '-c', line], files: [], ...(executable === undefined ? {} : { executable }) };
  // Under gVisor a shell starts thirty processes a second on a slow machine.
  return collect((options) => sandbox.build(request, options), { timeLimitMs: 50_000 });
}
