import { createHash } from 'node:crypto';
import { createWriteStream, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import type Docker from 'dockerode';

import { ensureBaseImage, hasImage, pull } from './base-image.js';
import { follow } from './image-stream.js';
import { type Instance, tail } from './instance.js';
import { withLock } from './lock.js';
import { checkout } from './paths.js';
import { Problem, say, timed } from './report.js';

/** An image built from this repository. Its tag is a hash of its sources. */
interface Recipe {
  readonly name: string;
  readonly dockerfile: string;
  readonly target?: string;
  /** The build context, relative to the checkout. */
  readonly context: string;
  /** Files and folders in the context. */
  readonly sources: readonly string[];
}

const SANDBOX = { dockerfile: 'Dockerfile', context: 'docker/sandbox', sources: ['.'] };

const RECIPES = {
  /** For builds and proofs. */
  sandbox: { name: 'code-widgets-sandbox', target: 'sandbox', ...SANDBOX },
  /** For running programs. */
  runner: { name: 'code-widgets-runner', target: 'runner', ...SANDBOX },
  broker: {
    name: 'code-widgets-broker',
    dockerfile: 'rabbitmq/Dockerfile',
    context: '.',
    sources: ['rabbitmq', 'docker/sandbox/sbom.sh'],
  },
} satisfies Record<string, Recipe>;

export type ImageName = keyof typeof RECIPES;

/** Settings by which an operator names an existing image or one in a registry. */
const GIVEN: Partial<Record<ImageName, string>> = { sandbox: 'SANDBOX_IMAGE', runner: 'RUN_IMAGE' };

/** Ensures that the engine has the images: pulls those given by name and builds the rest. Resolves to their names. */
export async function ensureImages<Name extends ImageName>(
  instance: Instance,
  docker: Docker,
  wanted: readonly Name[],
): Promise<Record<Name, string>> {
  const names = Object.fromEntries(wanted.map((each) => [each, givenName(each) ?? ownName(RECIPES[each])])) as Record<
    Name,
    string
  >;
  for (const each of wanted.filter((name) => givenName(name) !== undefined)) {
    if ((await hasImage(docker, names[each])) || (await pull(docker, names[each], instance.signal))) continue;
    throw new Problem(`The image ${names[each]} (${GIVEN[each]}) is not in the engine, and cannot be pulled.`);
  }
  const missing = async () => {
    const found = await Promise.all(wanted.map((each) => hasImage(docker, names[each])));
    return wanted.filter((_, index) => !found[index]);
  };
  if ((await missing()).length === 0) return names;
  const build = async () => {
    const base = await ensureBaseImage(instance, docker);
    // The two sandbox images share stages, so the second build uses the engine's cache.
    const chains = [
      (await missing()).filter((each) => each !== 'broker'),
      (await missing()).filter((each) => each === 'broker'),
    ];
    await Promise.all(
      chains.map(async (chain) => {
        for (const each of chain) await buildImage(instance, docker, RECIPES[each], names[each], base);
      }),
    );
  };
  await withLock('images', build, () => say('image', 'waiting for another build of images on this machine ...'));
  return names;
}

const givenName = (image: ImageName) => process.env[GIVEN[image] ?? ''] || undefined;

async function buildImage(
  instance: Instance,
  docker: Docker,
  recipe: Recipe,
  name: string,
  base: string,
): Promise<void> {
  say('image', `building ${name} ...`);
  const logPath = join(instance.folder, `image-${recipe.name}.log`);
  const log = createWriteStream(logPath);
  const build = async () => {
    const { dockerfile, target } = recipe;
    const context = { context: join(checkout, recipe.context), src: filesOf(recipe) };
    const options = {
      t: name,
      dockerfile,
      buildargs: { BASE_IMAGE: base },
      forcerm: true,
      abortSignal: instance.signal,
      ...(target !== undefined && { target }),
    };
    try {
      await follow(await docker.buildImage(context, options), log);
    } catch (error) {
      instance.signal.throwIfAborted();
      await new Promise<void>((resolve) => log.end(resolve));
      throw new Problem(`Building ${name} failed: ${String(error)}\n${tail(logPath)}`);
    } finally {
      log.end();
    }
  };
  await timed('image', build, () => `${name} built`);
}

const ownName = (recipe: Recipe) => `${recipe.name}:${hashOf(recipe).slice(0, 12)}`;

/** The sorted paths of all files in the context. */
function filesOf({ context, sources }: Recipe): string[] {
  const root = join(checkout, context);
  const filesIn = (source: string) =>
    statSync(join(root, source)).isFile()
      ? [source]
      : readdirSync(join(root, source), { recursive: true, encoding: 'utf8' })
          .map((name) => join(source, name))
          .filter((name) => statSync(join(root, name)).isFile());
  return sources.flatMap(filesIn).sort();
}

/** Hashes the names, contents and executable bits of all files. */
function hashOf(recipe: Recipe): string {
  const hash = createHash('sha256');
  for (const file of filesOf(recipe)) {
    const path = join(checkout, recipe.context, file);
    const content = readFileSync(path);
    hash.update(JSON.stringify([file, (statSync(path).mode & 0o100) !== 0, content.length])).update(content);
  }
  return hash.digest('hex');
}
