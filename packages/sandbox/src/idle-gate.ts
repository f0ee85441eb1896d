/**
 * Holds back background work while steps run. Creating or removing a container takes as much
 * processor time as a small build.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { AFTERMATH_MS } from './limits.js';

const POLL_MS = 20;

export class IdleGate {
  private steps = 0;
  private lastEndMs = -Infinity;

  /** Runs a step. The gate is not idle until AFTERMATH_MS after its end. */
  async during<T>(step: () => Promise<T>): Promise<T> {
    this.steps++;
    try {
      return await step();
    } finally {
      this.steps--;
      this.lastEndMs = performance.now();
    }
  }

  /** Resolves when no step runs, after `timeoutMs`, or when `signal` is aborted. */
  async untilIdle(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!this.isIdle() && performance.now() < deadline && !signal.aborted) {
      await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private isIdle(): boolean {
    return this.steps === 0 && performance.now() - this.lastEndMs > AFTERMATH_MS;
  }
}
