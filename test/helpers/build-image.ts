/** Images of the deployment, for tests that need one of them alone. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import Docker from 'dockerode';

import { findBaseImage } from '../../scripts/lib/base-image.js';

const ROOT = join(import.meta.dirname, '..', '..');
const run = promisify(execFile);

/** Builds `name` as compose.yaml would, the last stage or `target`; both paths are below the root of the checkout. */
export async function buildImage(name: string, dockerfile: string, context: string, target?: string): Promise<void> {
  const base = (await findBaseImage(new Docker())) ?? '';
  const args = ['build', '--quiet', '--tag', name, '--build-arg', `BASE_IMAGE=${base}`, '--file', join(ROOT, dockerfile)];
  await run('docker', [...args, ...(target === undefined ? [] : ['--target', target]), join(ROOT, context)]);
}
