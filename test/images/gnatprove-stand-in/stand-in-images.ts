/** The images with a stand-in for gnatprove, built from the run's own image on its own engine. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';

import type Docker from 'dockerode';

import { follow } from '../../../scripts/lib/image-stream.js';
import { recordings, replayFile } from './recordings.js';

/** Of the generation of gnatprove that it stands in for; 13 for all up to it, 14 for all from it. */
export type Generation = 13 | 14;

export interface StandInOptions {
  /** The run's own image. */
  readonly base: string;
  /** In the name of every image. */
  readonly namespace: string;
}

const FOLDER = import.meta.dirname;
const LABEL = 'code-widgets.stand-in';

/** Builds the image, and says its name. */
export async function buildStandIn(docker: Docker, generation: Generation, options: StandInOptions): Promise<string> {
  const { base, namespace } = options;
  const name = `gnatprove-stand-in:${namespace}-${generation}`;
  const context = mkdtempSync(join(tmpdir(), 'code-widgets-stand-in-'));
  const said: string[] = [];
  try {
    const src = fillContext(context);
    const answer = await docker.buildImage(
      { context, src },
      { t: name, buildargs: { BASE: base, NAMESPACE: namespace, GENERATION: String(generation) }, forcerm: true },
    );
    await follow(answer, new Writable({ write: (chunk, _encoding, done) => done(void said.push(String(chunk))) }));
    return name;
  } catch (error) {
    throw new Error(`building ${name} failed\n${said.join('')}`, { cause: error });
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

/** Removes the images of the namespace, and what builds that failed have left of themselves. */
export async function removeStandIns(docker: Docker, namespace: string): Promise<void> {
  const label = [`${LABEL}=${namespace}`];
  // Together with an image goes what it was made of, up to what has a name: the base stays.
  const images = await docker.listImages({ filters: { label, dangling: ['false'] } });
  for (const tag of images.flatMap(({ RepoTags }) => RepoTags ?? []))
    await docker.getImage(tag).remove({ force: true });
  await docker.pruneImages({ filters: { label, dangling: ['true'] } });
}

function fillContext(context: string): string[] {
  const sources = readdirSync(FOLDER).filter((name) => /^Dockerfile$|\.[ch]$/.test(name));
  for (const name of sources) cpSync(join(FOLDER, name), join(context, name));
  mkdirSync(join(context, 'recordings'));
  for (const recording of recordings) {
    const name = `${recording.project.name}.${recording.mode}`;
    writeFileSync(join(context, 'recordings', name), replayFile(recording));
  }
  return [...sources, 'recordings'];
}
