import { join } from 'node:path';
import { Writable } from 'node:stream';

import type Docker from 'dockerode';

import { findBaseImage, hasImage } from './base-image.js';
import { follow } from './image-stream.js';
import { withLock } from './lock.js';
import { checkout, stateRoot } from './paths.js';

const SOURCES = ['rabbitmq', 'docker/sandbox/sbom.sh'];

/**
 * The image of the compose file's broker, one for all tests of a run: made for the first that asks,
 * to be removed by the run at its end.
 *
 * @param namespace the run's, by which what it leaves is found
 * @returns its name
 */
export async function ensureBrokerImage(docker: Docker, namespace: string): Promise<string> {
  const name = nameOf(namespace);
  // Two test files at once would make it twice, and one would be left without a name.
  await withLock(join(stateRoot, 'broker-image.lock'), async () => {
    if (!(await hasImage(docker, name))) await build(docker, name);
  });
  return name;
}

async function build(docker: Docker, name: string): Promise<void> {
  const said: string[] = [];
  const log = new Writable({ write: (chunk, _encoding, done) => done(void said.push(String(chunk))) });
  try {
    const buildargs = { BASE_IMAGE: (await findBaseImage(docker)) ?? '' };
    const context = { context: checkout, src: SOURCES };
    await follow(await docker.buildImage(context, { t: name, dockerfile: 'rabbitmq/Dockerfile', buildargs, forcerm: true }), log);
  } catch (error) {
    throw new Error(`building ${name} failed\n${said.slice(-20).join('')}`, { cause: error });
  }
}

export async function removeBrokerImage(docker: Docker, namespace: string): Promise<void> {
  const name = nameOf(namespace);
  if (await hasImage(docker, name)) await docker.getImage(name).remove();
}

function nameOf(namespace: string): string {
  return `${namespace}-broker-image`.toLowerCase();
}
