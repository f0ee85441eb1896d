/** The contents of the run's own images. */
import { describe, expect, it } from '@jest/globals';

import { environment } from '../helpers/environment.js';
import { componentsOf, givesRights, isCommand, pathsOf } from '../helpers/image-contents.js';
import { docker } from './sandbox-harness.js';

const images = [
  ['code-widgets-sandbox', environment('SANDBOX_IMAGE'), ['gnat', 'gprbuild', 'g++', 'libgnat-14', 'libc6']],
  ['code-widgets-runner', environment('RUN_IMAGE'), ['libgnat-14', 'libstdc++6', 'libgcc-s1', 'libc6']],
] as const;

describe.each(images)('%s', (name, image, packages) => {
  it('has no set-uid file, set-gid file or file capability', async () => {
    expect(await pathsOf(docker, image, givesRights)).toEqual([]);
  }, 60_000);

  it('has a list of its packages with versions', async () => {
    const components = await componentsOf(docker, image, name);
    for (const wanted of packages) {
      const found = components.find((component) => component.name === wanted);
      expect(found).toMatchObject({ name: wanted, version: expect.stringMatching(/^[0-9]/) });
      const [, version] =
        /^pkg:deb\/debian\/[^@]+@([^?]+)\?arch=(?:amd64|arm64|all)&distro=debian-13$/.exec(found?.purl ?? '') ?? [];
      expect(version && decodeURIComponent(version)).toBe(found?.version);
    }
  });
});

describe('code-widgets-runner', () => {
  it('has no command and lists no package that it lacks', async () => {
    expect(await pathsOf(docker, environment('RUN_IMAGE'), isCommand)).toEqual([]);
    const names = (await componentsOf(docker, environment('RUN_IMAGE'), 'code-widgets-runner')).map(
      (component) => component.name,
    );
    for (const absent of ['dash', 'bash', 'apt', 'dpkg', 'perl-base', 'gcc-14', 'binutils'])
      expect(names).not.toContain(absent);
  });
});
