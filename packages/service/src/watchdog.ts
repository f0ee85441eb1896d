/** A process that ends itself, loudly, rather than stand still and look alive. */
import { Worker } from 'node:worker_threads';

/** Noticed within 30 s: this, and what lies between two signs of life. */
const PATIENCE_S = 22;

export interface Watchdog {
  /** A sign of life: the process does its work, or does what it can to get back to it. */
  alive(): void;
  close(): Promise<void>;
}

/**
 * Has a thread of its own, which a main thread that is busy for ever cannot hold up, end the process
 * with SIGKILL once no sign of life has come for 22 s. What has been stopped from outside as a whole
 * is not at fault for the time that it was.
 *
 * @param name of the process, for the last line of its log
 */
export function startWatchdog(name: string): Watchdog {
  const signs = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const thread = new Worker(new URL('./watchdog-thread.js', import.meta.url), {
    workerData: { name, signs, patienceS: PATIENCE_S },
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
  });
  thread.unref();
  return {
    alive: () => void Atomics.add(signs, 0, 1),
    close: async () => void (await thread.terminate()),
  };
}
