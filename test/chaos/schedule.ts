/** Which fault happens when and where, determined only by the seed. */
import { createRandom } from './random.js';

export const FAULTS = [
  'worker SIGKILL',
  'worker SIGSTOP for 20 s',
  'worker SIGTERM',
  'widget SIGKILL',
  'widget SIGTERM',
  'broker restart',
  'broker kill -9',
  'broker connections cut',
  'broker connections half open',
  'broker connections black-holed for 15 s',
  'engine restart',
  'engine silent for 20 s',
  'container killed',
  'disk of the engine full for 8 s',
  'clock of a worker jumps',
  'worker out of memory',
] as const;
export type FaultName = (typeof FAULTS)[number];

export interface ScheduledFault {
  readonly name: FaultName;
  /** Time since the end of the previous fault, in ms. */
  readonly afterMs: number;
  /** Selects the target, modulo the number of possible targets. */
  readonly victim: number;
}

const SHORTEST_PAUSE_MS = 3_000;
const LONGEST_PAUSE_MS = 9_000;

/** An endless list of faults, with each class once before any repeats. */
export function* scheduleFaults(seed: number): Generator<ScheduledFault, never> {
  const random = createRandom(seed);
  for (;;) {
    for (const name of random.shuffled(FAULTS)) {
      yield {
        name,
        afterMs: SHORTEST_PAUSE_MS + random.below(LONGEST_PAUSE_MS - SHORTEST_PAUSE_MS),
        victim: random.below(1000),
      };
    }
  }
}
