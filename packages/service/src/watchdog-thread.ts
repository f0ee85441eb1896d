/** The watchdog's thread: see watchdog.ts. */
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

const FATAL = 60;
const STDOUT = 1;
const { name, signs, timeoutS } = workerData as { name: string; signs: Int32Array; timeoutS: number };

let last = -1;
// Counts ticks of this thread, not the clock: they stop while the whole process is stopped.
let silentS = 0;
setInterval(() => {
  const now = Atomics.load(signs, 0);
  silentS = now === last ? silentS + 1 : 0;
  last = now;
  if (silentS < timeoutS) return;
  const line = {
    level: FATAL,
    time: Date.now(),
    pid: process.pid,
    name,
    msg: `no sign of life for ${silentS} s: ended by itself`,
  };
  try {
    // The logger needs the main thread, which hangs.
    writeSync(STDOUT, `${JSON.stringify(line)}\n`);
  } finally {
    // Kill the process even if the write failed.
    process.kill(process.pid, 'SIGKILL');
  }
}, 1000);
