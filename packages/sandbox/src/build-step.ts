/** A build step: taken from the cache, if the same has been built before and would come out the same now. */
import { buildKey, toOutput, type Build, type BuildCache, type OutputRun } from './build-cache.js';
import { byteLength, ByteCollector } from './executable.js';
import type { OutputStream } from './frames.js';
import type { LauncherRequest } from './launcher-request.js';
import { isReproducible } from './reproducible.js';
import { runStep, type BuildEnd, type StepOptions, type Workshop } from './step.js';

/** What a compiler says that was short of something for the moment. */
const MISFORTUNE = /killed|signal|internal compiler error|bug box|allocate|memory|resource|no space|too many open/i;
/** A temporary file of a compiler's, as its assembler's messages name it: another one each time. */
const TEMPORARY_FILE = /\/cc\w{6}\.\w/;

export function createBuilder(workshop: Workshop, cache: BuildCache | undefined) {
  /** As runStep; the output of a build that was kept comes all at once. */
  return async (request: LauncherRequest, options: StepOptions): Promise<BuildEnd> => {
    if (!cache || !isReproducible(request.files)) return runStep(workshop, request, options);
    const begin = performance.now();
    let own: BuildEnd | undefined;
    let built: () => void = () => undefined;
    const builtHere = new Promise<void>((resolve) => (built = resolve));
    const imageId = await workshop.images.known(request.kind);
    const make = async () => {
      const recorder = new Recorder();
      let isOfImage: Promise<boolean> | undefined;
      const recorded: StepOptions = {
        ...options,
        onOutput(stream, bytes) {
          recorder.add(stream, bytes);
          options.onOutput(stream, bytes);
        },
      };
      // The engine goes by the name, which may be another image's by then.
      own = await runStep(workshop, request, recorded, { imageId, onContainer: (container) => void (isOfImage = container.isOf(imageId)) });
      built();
      if (await isOfImage) return recorder.build(own);
      workshop.log.warn({ imageId }, 'a build may have been made in another image than was asked for: not kept');
      return undefined;
    };
    const getting = cache.get(keyOf(request, imageId, workshop), make, options.signal);
    // Who has built it does not wait until it is kept.
    const got = await Promise.race([getting, builtHere]);
    if (own !== undefined) return own;
    const build = got?.build;
    const fits = build && build.ms <= options.timeLimitMs && byteLength(build.output.map(([, bytes]) => bytes)) <= options.outputLimitBytes;
    if (!fits) return runStep(workshop, request, options);
    for (const [stream, bytes] of build.output) options.onOutput(stream, bytes);
    const { status, executable } = build;
    return { status, ms: Math.round(performance.now() - begin), ...(executable && { executable }) };
  };
}

function keyOf({ command, files, findConfiguration = false, handBack = '' }: LauncherRequest, imageId: string, { context }: Workshop): string {
  const sources = files.map(({ basename, contents }) => [basename, contents]).sort(([one = ''], [other = '']) => (one < other ? -1 : 1));
  const { seccompProfile, runtime = '', limits } = context;
  return buildKey(imageId, runtime, seccompProfile, limits, command, findConfiguration, handBack, ...sources);
}

class Recorder {
  readonly #bytes = new ByteCollector();
  readonly #runs: OutputRun[] = [];

  add(stream: OutputStream, bytes: Buffer): void {
    const last = this.#runs.at(-1);
    if (last?.[0] === stream) last[1] += bytes.length;
    else this.#runs.push([stream, bytes.length]);
    this.#bytes.add(bytes);
  }

  /** Undefined for one that ended at a limit, or failed for a reason that may be gone the next time. */
  build({ status, limit, signal, ms, commandMissing, executable }: BuildEnd): Build | undefined {
    const output = toOutput(Buffer.concat(this.#bytes.pieces()), this.#runs);
    const says = (words: RegExp) => output.some(([, bytes]) => words.test(bytes.toString('latin1')));
    const unlucky = says(TEMPORARY_FILE) || (status !== 0 && says(MISFORTUNE));
    if (limit !== undefined || signal !== undefined || commandMissing || status >= 128 || unlucky) return undefined;
    return { output, status, ms, ...(executable && { executable }) };
  }
}
