import { createWriteStream, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type Docker from 'dockerode';

import { follow } from './image-stream.js';
import { exitOf, type Instance, tail } from './instance.js';
import { canInstall, hasCommand, install, type Need } from './packages.js';
import { checkout } from './paths.js';
import { Problem, say, seconds, timed } from './report.js';

/** Time for a registry to start its response. The rest of the response has no limit. */
const PULL_BEGINS_MS = 15_000;

const mmdebstrapNeed: Need = { debianPackage: 'mmdebstrap', isMissing: () => !hasCommand('mmdebstrap') };

export async function hasImage(docker: Docker, name: string): Promise<boolean> {
  try {
    await docker.getImage(name).inspect();
    return true;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return false;
    throw error;
  }
}

/** Pulls an image; resolves to false and prints the reason if that fails. */
export async function pull(docker: Docker, name: string, signal: AbortSignal): Promise<boolean> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), PULL_BEGINS_MS);
  const stop = () => late.abort();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const answer = await docker.pull(name, { abortSignal: late.signal });
    clearTimeout(timer);
    await follow(answer);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    const reason = late.signal.aborted
      ? `no registry has answered within ${PULL_BEGINS_MS / 1000} s`
      : (error as Error).message;
    say('image', `${name.replace(/@.*/, '')} cannot be pulled: ${reason}`);
    return false;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

/** The base image of all Dockerfiles: a tag and its digest in the registry. */
function pinnedBase(): string {
  const dockerfile = readFileSync(join(checkout, 'docker', 'sandbox', 'Dockerfile'), 'utf8');
  const pinned = /^ARG BASE=\$\{BASE_IMAGE:-(\S+@sha256:[0-9a-f]{64})\}$/m.exec(dockerfile)?.[1];
  if (pinned === undefined) throw new Error('docker/sandbox/Dockerfile names no base with a digest');
  return pinned;
}

/**
 * The pinned base image from the engine or a registry, otherwise the engine's image with the same tag.
 * Undefined without any.
 */
export async function findBaseImage(
  docker: Docker,
  signal: AbortSignal = new AbortController().signal,
): Promise<string | undefined> {
  const pinned = pinnedBase();
  const tag = tagOf(pinned);
  if (await hasImage(docker, pinned)) return pinned;
  const begin = performance.now();
  if (await pull(docker, pinned, signal)) {
    say('base', `${tag} pulled, ${seconds(performance.now() - begin)}`);
    return pinned;
  }
  return (await hasImage(docker, tag)) ? tag : undefined;
}

/**
 * Ensures that a base image exists and resolves to its name. Without a registry, it is built from Debian's
 * packages under the tag in the Dockerfiles.
 */
export async function ensureBaseImage(instance: Instance, docker: Docker): Promise<string> {
  const found = await findBaseImage(docker, instance.signal);
  if (found !== undefined) return found;
  const tag = tagOf(pinnedBase());
  if (mmdebstrapNeed.isMissing() && !canInstall()) {
    throw new Problem(
      `There is no ${tag} to build on. Connect this machine to an image registry, load the image (docker load), or install mmdebstrap.`,
    );
  }
  await install(instance, [mmdebstrapNeed]);
  say('base', `no registry answers: making ${tag} from Debian's packages with mmdebstrap ...`);
  await timed(
    'base',
    () => bootstrap(instance, docker, tag),
    () => `${tag} made`,
  );
  return tag;
}

function tagOf(pinned: string): string {
  return pinned.replace(/@.*/, '');
}

async function bootstrap(instance: Instance, docker: Docker, tag: string): Promise<void> {
  const suite = tag.replace(/^debian:|-slim$/g, '');
  const logPath = join(instance.folder, 'mmdebstrap.log');
  const log = openSync(logPath, 'w');
  const child = instance.start('tool', 'mmdebstrap', ['--variant=minbase', ...slim(), suite, '-'], {
    stdio: ['ignore', 'pipe', log],
  });
  if (!child.stdout) throw new Error('mmdebstrap has no output');
  const [status, image] = await Promise.all([
    exitOf(child),
    docker
      .importImage(child.stdout, { changes: 'CMD ["bash"]', abortSignal: instance.signal })
      .then((answer) => follow(answer, createWriteStream(logPath, { flags: 'a' }))),
  ]);
  // Tagged only on success: a truncated archive also becomes an image.
  if (status !== 0) throw new Problem(`mmdebstrap failed (${status}):\n${tail(logPath)}`);
  await docker.getImage(image).tag({ repo: 'debian', tag: `${suite}-slim` });
}

/** Excludes documentation, also from packages installed later, as the registry's slim image does. */
function slim(): string[] {
  const excluded = ['doc', 'info', 'man', 'locale', 'lintian', 'groff'].map(
    (folder) => `path-exclude=/usr/share/${folder}/*`,
  );
  return [...excluded, 'path-include=/usr/share/doc/*/copyright'].map((option) => `--dpkgopt=${option}`);
}
