/** Ends a process that hangs, so that its supervisor restarts it. */
import { Worker } from 'node:worker_threads';

/**
 * Time from the last sign of life until the process is killed. The API gives a sign every second, a worker every 5 s.
 * So a hang ends within 30 s.
 */
const TIMEOUT_S = 22;

export interface Watchdog {
  /** Reports a sign of life: the process works, or tries to reconnect. */
  alive(): void;
  close(): Promise<void>;
}

/**
 * Starts a thread that runs even if the main thread is blocked. It sends SIGKILL after 22 s without a sign of life.
 * Time in which the whole process is stopped does not count. `name` is for the last log line of the process.
 */
export function startWatchdog(name: string): Watchdog {
  const signs = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const thread = new Worker(new URL('./watchdog-thread.js', import.meta.url), {
    workerData: { name, signs, timeoutS: TIMEOUT_S },
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
  });
  thread.unref();
  return {
    alive: () => void Atomics.add(signs, 0, 1),
    close: async () => void (await thread.terminate()),
  };
}
