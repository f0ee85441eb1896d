/** The environment and the version of the image's gnatprove. Its command line depends on the version. */
import { gnatproveGeneration, type GnatproveGeneration } from '@code-widgets/project';
import { WORKSPACE, type Profile, type Sandbox } from '@code-widgets/sandbox';

const HELP_TIME_MS = 10_000;
const HELP_BYTES = 1024 * 1024;

/** gnatprove writes a project for gprbuild and its sockets into TMPDIR. */
export const PROVE_ENVIRONMENT = { HOME: WORKSPACE, TMPDIR: WORKSPACE, LANG: 'C.UTF-8' };

/** Returns a function that asks gnatprove for its generation, once for each image. Failures are not cached. */
export function rememberGeneration(sandbox: Sandbox, profile: Profile): () => Promise<GnatproveGeneration> {
  let asked: { imageId: string; answer: Promise<GnatproveGeneration | undefined> } | undefined;
  return async () => {
    for (;;) {
      const imageId = await sandbox.imageId(profile.image);
      if (asked?.imageId !== imageId) asked = { imageId, answer: askGeneration(sandbox, profile, imageId) };
      const { answer } = asked;
      const generation = await answer.catch((error: unknown) => {
        if (asked?.answer === answer) asked = undefined;
        throw error;
      });
      if (generation) return generation;
      if (asked?.answer === answer) asked = undefined;
    }
  };
}

/** Undefined if the image's name has moved to another image meanwhile. */
async function askGeneration(
  sandbox: Sandbox,
  profile: Profile,
  imageId: string,
): Promise<GnatproveGeneration | undefined> {
  const chunks: Buffer[] = [];
  const job = {
    profile,
    argv: ['gnatprove', '--help'],
    files: [],
    limits: { timeMs: HELP_TIME_MS, outputBytes: HELP_BYTES },
  };
  const { limit, ranInImage } = await sandbox.execute(job, { imageId, onOutput: (_, bytes) => chunks.push(bytes) });
  if (limit) throw new Error(`gnatprove --help ran into its ${limit} limit`);
  return ranInImage ? gnatproveGeneration(Buffer.concat(chunks).toString('utf8')) : undefined;
}
