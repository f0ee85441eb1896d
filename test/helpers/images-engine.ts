/**
 * The engine that builds and runs the deployment's own images. The sandboxes' may be another, with nothing to
 * build on.
 */
import { execFile, type ExecFileOptions } from 'node:child_process';
import { promisify } from 'node:util';

import Docker from 'dockerode';

import { engineOptions } from '../../packages/sandbox/src/docker-runtime.js';

const { IMAGES_DOCKER_HOST } = process.env;

export const imagesEngine = new Docker(
  IMAGES_DOCKER_HOST === undefined ? undefined : engineOptions({ dockerHost: IMAGES_DOCKER_HOST }),
);

/** For commands that are to use it. */
export const imagesEnv =
  IMAGES_DOCKER_HOST === undefined ? process.env : { ...process.env, DOCKER_HOST: IMAGES_DOCKER_HOST };

/** What a command of Docker's own client there prints. */
export async function dockerCommand(
  args: readonly string[],
  options: Pick<ExecFileOptions, 'timeout'> = {},
): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)('docker', args, { ...options, env: imagesEnv });
}

/** Path of the sandboxes' engine, for a container in the other one. */
export const sandboxesSocket = /^unix:\/\/(.+)/.exec(process.env.DOCKER_HOST ?? '')?.[1] ?? '/var/run/docker.sock';
