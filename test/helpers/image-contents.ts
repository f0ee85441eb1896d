/** Reads the contents of images through containers that are never started. */
import type { Readable } from 'node:stream';

import type Docker from 'dockerode';
import Type from 'typebox';
import { Assert } from 'typebox/value';

import { tarEntries, type TarEntry } from './tar.js';

/** Path of the package list that the build writes. */
const SBOM = '/usr/share/code-widgets/sbom.cdx.json';

/** The required CycloneDX 1.6 fields of our lists, and the package URL of each component. */
const Sbom = Type.Object(
  {
    bomFormat: Type.Literal('CycloneDX'),
    specVersion: Type.Literal('1.6'),
    version: Type.Integer({ minimum: 1 }),
    metadata: Type.Object({
      component: Type.Object({ type: Type.Literal('container'), name: Type.String({ minLength: 1 }) }),
    }),
    components: Type.Array(
      Type.Object(
        {
          type: Type.Enum(['application', 'library']),
          name: Type.String({ minLength: 1 }),
          version: Type.String({ minLength: 1 }),
          purl: Type.Optional(
            Type.String({
              pattern:
                '^pkg:(deb/debian|npm)/(%40[a-z0-9-]+/)?[A-Za-z0-9.%_-]+@[A-Za-z0-9.%:~-]+(\\?[a-z]+=[a-z0-9-]+(&[a-z]+=[a-z0-9-]+)*)?$',
            }),
          ),
          hashes: Type.Optional(
            Type.Array(
              Type.Object({ alg: Type.Literal('SHA-256'), content: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
            ),
          ),
          externalReferences: Type.Optional(
            Type.Array(Type.Object({ type: Type.Literal('distribution'), url: Type.String() })),
          ),
        },
        { additionalProperties: false },
      ),
      { minItems: 1, uniqueItems: true },
    ),
  },
  { additionalProperties: false },
);
export type Component = Type.Static<typeof Sbom>['components'][number];

/** Validates the image's package list and returns its components. */
export async function componentsOf(docker: Docker, image: string, name: string): Promise<Component[]> {
  return inContainer(docker, image, async (container) => {
    const archive = (await container.getArchive({ path: SBOM })) as Readable;
    for await (const { content } of tarEntries(archive)) {
      const sbom: unknown = JSON.parse(content.toString('utf8'));
      Assert(Sbom, sbom);
      if (sbom.metadata.component.name !== name) throw new Error(`the list is of ${sbom.metadata.component.name}`);
      return sbom.components;
    }
    throw new Error('the archive is empty');
  });
}

/** All paths of an image that `choose` selects. */
export async function pathsOf(docker: Docker, image: string, choose: (entry: TarEntry) => boolean): Promise<string[]> {
  return inContainer(docker, image, async (container) => {
    const chosen: string[] = [];
    let seen = 0;
    for await (const entry of tarEntries((await container.export()) as Readable)) {
      seen++;
      if (choose(entry)) chosen.push(entry.path);
    }
    if (seen < 10) throw new Error(`${image} has only ${seen} files`);
    return chosen;
  });
}

/** Whether a file gives its user other rights: a set-uid or set-gid bit, or file capabilities. */
export function givesRights({ mode, records }: TarEntry): boolean {
  return (mode & 0o6000) !== 0 || records.has('SCHILY.xattr.security.capability');
}

/** Whether a path is a command in PATH. */
export function isCommand({ path, type }: TarEntry): boolean {
  return type !== 'folder' && /^(usr\/(local\/)?)?s?bin\//.test(path);
}

async function inContainer<T>(
  docker: Docker,
  image: string,
  work: (container: Docker.Container) => Promise<T>,
): Promise<T> {
  // The label of all test objects, so that leftovers are found and removed.
  const container = await docker.createContainer({
    Image: image,
    Labels: { 'code-widgets.namespace': `${process.env.NAMESPACE ?? ''}-contents` },
  });
  try {
    return await work(container);
  } finally {
    await container.remove({ force: true, v: true });
  }
}
