import { explain, say } from './report.js';

/** Ctrl-C, a plain kill, and the end of the terminal. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/**
 * A Ctrl-C arrives twice: from the terminal, and from npm, which forwards signals. Within this time it is not a
 * second Ctrl-C.
 */
const SAME_SIGNAL_MS = 500;
const PARENT_CHECK_MS = 500;

export interface Stops {
  /** Ends everything that the work has started, in order. */
  stop(): Promise<void>;
  /** The same without grace periods, for a second Ctrl-C. */
  stopAtOnce(): Promise<void>;
}

/**
 * Runs `work` and stops what it started, after its end, an error or a signal.
 *
 * @param work its result becomes the exit status
 * @param interrupted the exit status after a signal
 * @returns the exit status of the process
 */
export async function untilStopped(work: () => Promise<number>, stops: Stops, interrupted: number): Promise<number> {
  const signalled = new Promise<number>((resolve) => {
    let first: number | undefined;
    const onSignal = () => {
      if (first === undefined) {
        first = performance.now();
        resolve(interrupted);
      } else if (performance.now() - first > SAME_SIGNAL_MS) {
        first = Infinity; // A third one changes nothing.
        say('stop', 'at once');
        void stops.stopAtOnce().finally(() => process.exit(1));
      }
    };
    for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
    onLostParent(onSignal);
  });
  const crashed = new Promise<never>((_resolve, reject) => process.on('uncaughtException', reject));

  let status: number;
  try {
    status = await Promise.race([work(), signalled, crashed]);
  } catch (error) {
    console.error(explain(error));
    status = 1;
  }
  await stops.stop();
  return status;
}

/** A killed npm, or one whose shell was killed, forwards no signal: this process only loses its parent. */
function onLostParent(react: () => void): void {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    react();
  }, PARENT_CHECK_MS);
  timer.unref();
}
