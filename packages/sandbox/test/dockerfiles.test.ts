import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';

import { BUILDER, SCRATCH } from '../src/launcher-protocol.js';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const dockerfiles = ['docker', 'rabbitmq']
  .flatMap((folder) =>
    (readdirSync(join(ROOT, folder), { recursive: true }) as string[]).map((name) => join(folder, name)),
  )
  .filter((path) => path.endsWith('Dockerfile'));

describe('the Dockerfiles', () => {
  it('use one base image, pinned by its digest', () => {
    expect(dockerfiles).toHaveLength(4);
    const bases = dockerfiles.map((path) => /^ARG BASE=\$\{BASE_IMAGE:-(.*)\}$/m.exec(read(path))?.[1]);
    expect(new Set(bases).size).toBe(1);
    expect(bases[0]).toMatch(/^debian:[a-z]+-slim@sha256:[0-9a-f]{64}$/);
  });

  it.each(dockerfiles)('%s starts each stage from that image, another stage or scratch', (path) => {
    const stages = new Set(['${BASE}', 'scratch']);
    for (const [, from, name] of read(path).matchAll(/^FROM\s+(\S+)(?:\s+AS\s+(\S+))?/gim)) {
      expect(stages).toContain(from);
      if (name !== undefined) stages.add(name);
    }
  });

  it.each(dockerfiles)('%s installs no recommended packages', (path) => {
    for (const [line] of read(path).matchAll(/apt-get install.*/g)) expect(line).toContain('--no-install-recommends');
  });

  it('create the tool user with the id of the protocol', () => {
    expect(read('docker/sandbox/Dockerfile')).toContain(
      `useradd --uid ${BUILDER} --no-create-home --home-dir ${SCRATCH} `,
    );
  });

  it('leave the digest out of compose.yaml, which may name another image', () => {
    expect(read('compose.yaml')).not.toContain('sha256:');
  });
});
