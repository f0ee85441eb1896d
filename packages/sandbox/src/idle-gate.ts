/** Delays background work while jobs run: creating a container takes as much processor time as a small build. */
import { setTimeout as delay } from 'node:timers/promises';
import { AFTERMATH_MS } from './limits.js';

const POLL_MS = 20;

export class IdleGate {
  private runningJobs = 0;
  private lastEndMs = -Infinity;

  /** Runs a job. The gate is idle again AFTERMATH_MS after the job ends. */
  async during<T>(job: () => Promise<T>): Promise<T> {
    this.runningJobs++;
    try {
      return await job();
    } finally {
      this.runningJobs--;
      this.lastEndMs = performance.now();
    }
  }

  /** Resolves when no job runs, after `timeoutMs`, or on an abort. Never rejects. */
  async untilIdle(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!this.isIdle() && performance.now() < deadline && !signal.aborted) {
      await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private isIdle(): boolean {
    return this.runningJobs === 0 && performance.now() - this.lastEndMs > AFTERMATH_MS;
  }
}
