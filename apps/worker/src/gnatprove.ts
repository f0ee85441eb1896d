/** Which command line the image's gnatprove takes: asked once of each image, of the tool itself. */
import { gnatproveGeneration, type GnatproveGeneration } from '@code-widgets/project';
import type { Sandbox } from '@code-widgets/sandbox';

const HELP_TIME_MS = 10_000;
const HELP_BYTES = 1024 * 1024;

/** A function that asks when the image is another, and remembers the answer, but not a failure to get one. */
export function rememberGeneration(sandbox: Sandbox): () => Promise<GnatproveGeneration> {
  let known: { imageId: string; generation: Promise<GnatproveGeneration> } | undefined;
  return async () => {
    const imageId = await sandbox.imageId('prove');
    if (known?.imageId !== imageId) {
      const generation = askGeneration(sandbox).catch((error: unknown) => {
        if (known?.generation === generation) known = undefined;
        throw error;
      });
      known = { imageId, generation };
    }
    return known.generation;
  };
}

async function askGeneration(sandbox: Sandbox): Promise<GnatproveGeneration> {
  const chunks: Buffer[] = [];
  const end = await sandbox.prove(
    { command: ['gnatprove', '--help'], files: [] },
    { timeLimitMs: HELP_TIME_MS, outputLimitBytes: HELP_BYTES, onOutput: (_, bytes) => chunks.push(bytes) },
  );
  if (end.limit) throw new Error(`gnatprove --help ran into its ${end.limit} limit`);
  return gnatproveGeneration(Buffer.concat(chunks).toString('utf8'));
}
