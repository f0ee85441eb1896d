/** Measures the memory growth of processes from outside. */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

const LOOK_MS = 20;

/** Maximum growth in bytes of any of the processes during `act`. */
export async function growthOf(processes: readonly ChildProcess[], act: () => Promise<void>): Promise<number> {
  const before = processes.map(residentBytes);
  const most = [...before];
  const look = () => processes.forEach((process, i) => (most[i] = Math.max(most[i] ?? 0, residentBytes(process))));
  const timer = setInterval(look, LOOK_MS);
  try {
    await act();
  } finally {
    clearInterval(timer);
  }
  look();
  return Math.max(...most.map((peak, i) => peak - (before[i] ?? 0)));
}

function residentBytes({ pid }: ChildProcess): number {
  return 1024 * Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}
