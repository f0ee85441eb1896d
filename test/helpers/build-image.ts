/** Builds single images of the deployment for tests. */
import { join } from 'node:path';

import { findBaseImage } from '../../scripts/lib/base-image.js';
import { dockerCommand, imagesEngine } from './images-engine.js';

const ROOT = join(import.meta.dirname, '..', '..');

/** Builds `name` as compose.yaml would, up to `target` or the last stage; paths are relative to the checkout. */
export async function buildImage(name: string, dockerfile: string, context: string, target?: string): Promise<void> {
  const base = (await findBaseImage(imagesEngine)) ?? '';
  const args = [
    'build',
    '--quiet',
    '--tag',
    name,
    '--build-arg',
    `BASE_IMAGE=${base}`,
    '--file',
    join(ROOT, dockerfile),
  ];
  await dockerCommand([...args, ...(target === undefined ? [] : ['--target', target]), join(ROOT, context)]);
}
