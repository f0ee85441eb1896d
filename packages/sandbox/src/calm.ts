/** When the processors are free for what can wait: containers to be made ahead, and those that are done. */
import { setTimeout as delay } from 'node:timers/promises';
import { AFTERMATH_MS } from './limits.js';

const LOOK_MS = 20;

/** Making or removing a container takes as much of the processors as a build does. */
export class Calm {
  #steps = 0;
  #lastEndMs = -Infinity;

  /** Runs a step: there is no calm before its end, nor right after it. */
  async during<T>(step: () => Promise<T>): Promise<T> {
    this.#steps++;
    try {
      return await step();
    } finally {
      this.#steps--;
      this.#lastEndMs = performance.now();
    }
  }

  /** Resolves once it is calm; after `mostMs`, or when `signal` is aborted, in any case. */
  async comes(mostMs: number, signal: AbortSignal): Promise<void> {
    for (const enough = performance.now() + mostMs; !this.#isCalm() && performance.now() < enough && !signal.aborted; ) {
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  #isCalm(): boolean {
    return this.#steps === 0 && performance.now() - this.#lastEndMs > AFTERMATH_MS;
  }
}
