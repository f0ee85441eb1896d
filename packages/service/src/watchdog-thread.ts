/** The thread of watchdog.ts. */
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

const FATAL = 60;
const STDOUT = 1;
const { name, signs, patienceS } = workerData as { name: string; signs: Int32Array; patienceS: number };

let last = -1;
// Seconds in which this thread ran: it stands still with the whole process, and counts nothing then.
let silentS = 0;
setInterval(() => {
  const now = Atomics.load(signs, 0);
  silentS = now === last ? silentS + 1 : 0;
  last = now;
  if (silentS < patienceS) return;
  const line = {
    level: FATAL,
    time: Date.now(),
    pid: process.pid,
    name,
    msg: `no sign of life for ${silentS} s: ended by itself`,
  };
  try {
    // The logger is the main thread's, which does not answer.
    writeSync(STDOUT, `${JSON.stringify(line)}\n`);
  } finally {
    // Whether or not anybody reads the log.
    process.kill(process.pid, 'SIGKILL');
  }
}, 1000);
