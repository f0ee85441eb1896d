import { createWriteStream, openSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';

import type Docker from 'dockerode';

import { follow } from './image-stream.js';
import { exitOf, type Instance, tail } from './instance.js';
import { hasCommand, install, type Need } from './packages.js';
import { Problem, say, seconds, timed } from './report.js';

const REGISTRY = 'https://registry-1.docker.io/v2/';
const REGISTRY_MS = 3_000;
/** How long a registry may take to begin an answer; from then on a pull takes as long as it takes. */
const PULL_BEGINS_MS = 15_000;

export const mmdebstrapNeed: Need = {
  debianPackage: 'mmdebstrap',
  purpose: 'makes the base of the sandbox image where no image registry answers (or set SANDBOX_IMAGE and RUN_IMAGE)',
  isMissing: () => !hasCommand('mmdebstrap'),
};

/** Whether an image registry can be reached from here, as a guess before there is an engine to ask. */
export async function registryAnswers(): Promise<boolean> {
  return fetch(REGISTRY, { signal: AbortSignal.timeout(REGISTRY_MS) }).then(
    () => true, // 401 is an answer as well.
    () => false,
  );
}

export async function hasImage(docker: Docker, name: string): Promise<boolean> {
  try {
    await docker.getImage(name).inspect();
    return true;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return false;
    throw error;
  }
}

/** Pulls an image; false when that cannot be done, for whatever reason. */
export async function pull(docker: Docker, name: string): Promise<boolean> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), PULL_BEGINS_MS);
  try {
    const answer = await docker.pull(name, { abortSignal: patience.signal });
    clearTimeout(timer);
    await follow(answer, discard());
    return true;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Makes sure that the engine has an image that a Dockerfile builds on: as it is there, else from a
 * registry, else Debian's own packages under the registry's name. So there is one Dockerfile for
 * everywhere, and it never notices.
 */
export async function ensureBaseImage(instance: Instance, docker: Docker, name: string): Promise<void> {
  if (await hasImage(docker, name)) return;
  const begin = performance.now();
  if (await pull(docker, name)) return say('base', `${name} pulled, ${seconds(performance.now() - begin)}`);
  const suite = /^debian:([a-z]+)-slim$/.exec(name)?.[1];
  if (suite === undefined) throw new Problem(`The image ${name} is neither here nor in a registry that answers.`);
  await install(instance, [mmdebstrapNeed]);
  say('base', `no registry has answered: making ${name} from Debian's packages with mmdebstrap ...`);
  await timed('base', () => bootstrap(instance, docker, suite), () => `${name} made`);
}

async function bootstrap(instance: Instance, docker: Docker, suite: string): Promise<void> {
  const logPath = join(instance.folder, 'mmdebstrap.log');
  const log = openSync(logPath, 'w');
  const child = instance.start('tool', 'mmdebstrap', ['--variant=minbase', ...slim(), suite, '-'], {
    stdio: ['ignore', 'pipe', log],
  });
  if (!child.stdout) throw new Error('mmdebstrap has no output');
  const [status, image] = await Promise.all([
    exitOf(child),
    docker
      .importImage(child.stdout, { changes: 'CMD ["bash"]' })
      .then((answer) => follow(answer, createWriteStream(logPath, { flags: 'a' }))),
  ]);
  // Only now a name: half an archive may have become an image just as well.
  if (status !== 0) throw new Problem(`mmdebstrap failed (${status}):\n${tail(logPath)}`);
  await docker.getImage(image).tag({ repo: 'debian', tag: `${suite}-slim` });
}

/** What makes the registry's image slim: no documentation, and none with what is installed later. */
function slim(): string[] {
  const excluded = ['doc', 'info', 'man', 'locale', 'lintian', 'groff'].map((folder) => `path-exclude=/usr/share/${folder}/*`);
  return [...excluded, 'path-include=/usr/share/doc/*/copyright'].map((option) => `--dpkgopt=${option}`);
}

function discard(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
