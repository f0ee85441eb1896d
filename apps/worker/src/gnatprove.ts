/** Which command line the image's gnatprove takes: asked once, until the image is another, of the tool itself. */
import { gnatproveGeneration, type GnatproveGeneration } from '@code-widgets/project';
import type { Sandbox } from '@code-widgets/sandbox';

const HELP_TIME_MS = 10_000;
const HELP_BYTES = 1024 * 1024;

/** A function that asks when the image is another, and remembers the answer, but not a failure to get one. */
export function rememberGeneration(sandbox: Sandbox): () => Promise<GnatproveGeneration> {
  let known: { imageId: string; generation: Promise<GnatproveGeneration> } | undefined;
  return async function generationNow(): Promise<GnatproveGeneration> {
    const imageId = await sandbox.imageId('prove');
    if (known?.imageId === imageId) return known.generation;
    const generation = askGeneration(sandbox);
    const asked = { imageId, generation };
    known = asked;
    try {
      await generation;
    } catch (error) {
      if (known === asked) known = undefined;
      throw error;
    }
    // It was the image's word only if the name is still its own.
    return generationNow();
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
