/** The engine that builds and runs the deployment's images. The sandboxes' engine may differ and cannot build. */
import { execFile, type ExecFileOptions } from 'node:child_process';
import { promisify } from 'node:util';

import Docker from 'dockerode';

import { engineOptions } from '../../packages/sandbox/src/docker-runtime.js';

const { IMAGES_DOCKER_HOST } = process.env;

export const imagesEngine = new Docker(
  IMAGES_DOCKER_HOST === undefined ? undefined : engineOptions({ dockerHost: IMAGES_DOCKER_HOST }),
);

/** Environment for commands that use it. */
export const imagesEnv =
  IMAGES_DOCKER_HOST === undefined ? process.env : { ...process.env, DOCKER_HOST: IMAGES_DOCKER_HOST };

/** Runs a Docker command there and resolves with its output. */
export async function dockerCommand(
  args: readonly string[],
  options: Pick<ExecFileOptions, 'timeout'> = {},
): Promise<{ stdout: string; stderr: string }> {
  return promisify(execFile)('docker', args, { ...options, env: imagesEnv });
}

/** Path of the sandbox engine's socket, for a container in the images engine. */
export const sandboxesSocket = /^unix:\/\/(.+)/.exec(process.env.DOCKER_HOST ?? '')?.[1] ?? '/var/run/docker.sock';
