import { createHash } from 'node:crypto';
import { createWriteStream, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

import type Docker from 'dockerode';

import { ensureBaseImage, findBaseImage, hasImage, mmdebstrapNeed, pull } from './base-image.js';
import { follow } from './image-stream.js';
import { exitOf, type Instance, tail } from './instance.js';
import { withLock } from './lock.js';
import type { Need } from './packages.js';
import { checkout, machineFolder } from './paths.js';
import { Problem, say, timed } from './report.js';

/** The names of the images of a step, as the worker is given them. */
export interface Images {
  /** Builds and proves. */
  readonly sandbox: string;
  /** Runs what was built. */
  readonly runner: string;
}

const SOURCE = join(checkout, 'docker', 'sandbox');

interface OwnImage {
  readonly name: string;
  /** Of the Dockerfile. */
  readonly target: string;
}

/**
 * What has to be installed before `ensureImages`.
 *
 * @param docker undefined while there is no engine that could be asked
 */
export async function imageNeeds(docker: Docker | undefined): Promise<Need[]> {
  const { own } = chooseImages();
  if (!mmdebstrapNeed.isMissing() || own.length === 0) return [];
  if (docker) {
    const missing = await missingImages(docker, own);
    if (missing.length === 0 || (await findBaseImage(docker)) !== undefined) return [];
  }
  return [mmdebstrapNeed];
}

/** Makes sure that the engine has the images: those that are given by name, else the project's own. */
export async function ensureImages(instance: Instance, docker: Docker): Promise<Images> {
  const { images, given, own } = chooseImages();
  for (const name of given) {
    if ((await hasImage(docker, name)) || (await pull(docker, name))) continue;
    throw new Problem(`The image ${name} is neither in the engine nor in a registry that answers.`);
  }
  if ((await missingImages(docker, own)).length > 0) {
    // Two checkouts at once would do the same long work twice, and get in each other's way.
    await withLock(join(machineFolder, 'image.lock'), () => buildMissing(instance, docker, own), () => {
      say('image', 'waiting for the build of another checkout ...');
    });
  }
  return images;
}

async function buildMissing(instance: Instance, docker: Docker, own: readonly OwnImage[]): Promise<void> {
  const missing = await missingImages(docker, own); // Another checkout may have been first.
  if (missing.length === 0) return;
  const base = await ensureBaseImage(instance, docker);
  // One after the other: they share stages, which the second then takes from the engine's cache.
  for (const image of missing) {
    say('image', `building ${image.name} from docker/sandbox ...`);
    await timed('image', () => build(instance, docker, image, base), () => `${image.name} built`);
  }
}

async function build(instance: Instance, docker: Docker, { name, target }: OwnImage, base: string): Promise<void> {
  const logPath = join(instance.folder, `image-${target}.log`);
  // Nobody's names and times: what decides on the engine's cache is the files alone.
  const args = ['--create', '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '-C', SOURCE, '.'];
  const context = instance.start('tool', 'tar', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (!context.stdout) throw new Error('tar has no output');
  const packed = exitOf(context);
  const log = createWriteStream(logPath);
  try {
    const answer = await docker.buildImage(context.stdout, { t: name, target, buildargs: { BASE_IMAGE: base }, forcerm: true });
    await follow(answer, log);
  } catch (error) {
    instance.signal.throwIfAborted();
    await new Promise<void>((resolve) => log.end(resolve));
    throw new Problem(`Building ${name} failed: ${String(error)}\n${tail(logPath)}`);
  } finally {
    log.end();
  }
  const status = await packed;
  if (status !== 0) throw new Problem(`tar failed (${status})`);
}

/** SANDBOX_IMAGE and RUN_IMAGE where they are set, else names that change with docker/sandbox. */
function chooseImages(): { images: Images; given: string[]; own: OwnImage[] } {
  const { SANDBOX_IMAGE, RUN_IMAGE } = process.env;
  const version = hashOfFolder(SOURCE).slice(0, 12);
  const images = {
    sandbox: SANDBOX_IMAGE || `code-widgets-sandbox:${version}`,
    runner: RUN_IMAGE || `code-widgets-runner:${version}`,
  };
  const own: OwnImage[] = [];
  if (!SANDBOX_IMAGE) own.push({ name: images.sandbox, target: 'sandbox' });
  if (!RUN_IMAGE) own.push({ name: images.runner, target: 'runner' });
  return { images, given: [SANDBOX_IMAGE, RUN_IMAGE].filter((name): name is string => Boolean(name)), own };
}

async function missingImages(docker: Docker, own: readonly OwnImage[]): Promise<OwnImage[]> {
  const found = await Promise.all(own.map(({ name }) => hasImage(docker, name)));
  return own.filter((_image, index) => !found[index]);
}

/** Of the names, contents and executable bits of all files in a folder. */
function hashOfFolder(folder: string): string {
  const hash = createHash('sha256');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const file of files) {
    const content = readFileSync(file);
    const executable = (statSync(file).mode & 0o100) !== 0;
    hash.update(JSON.stringify([relative(folder, file), executable, content.length])).update(content);
  }
  return hash.digest('hex');
}
