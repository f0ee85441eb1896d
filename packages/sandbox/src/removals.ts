/** Removes containers in the background. */
import { setTimeout as delay } from 'node:timers/promises';
import type { IdleGate } from './idle-gate.js';
import { MAY_STILL_COME_MS, REMOVAL_RETRIES_MS, RETIRED_MOST, RETIREMENT_MS } from './limits.js';
import type { Log } from './log.js';
import type { Runtime } from './runtime.js';

export class Removals {
  private readonly underWay = new Set<Promise<boolean>>();
  /** Abort controllers of retired containers waiting for idle time, oldest first. */
  private readonly retired = new Set<AbortController>();

  constructor(
    private readonly runtime: Pick<Runtime, 'remove'>,
    private readonly idle: IdleGate,
    private readonly log: Log,
    private readonly retriesMs: readonly number[] = REMOVAL_RETRIES_MS,
  ) {}

  /** Removes a container, even a running one, after `afterMs`. Never rejects: logs a failure and resolves to false. */
  remove(nameOrId: string, afterMs = 0): Promise<boolean> {
    return this.track(afterMs > 0 ? delay(afterMs).then(() => this.tryToRemove(nameOrId)) : this.tryToRemove(nameOrId));
  }

  /** Same as `remove`, but first waits for idle time: at most RETIREMENT_MS, and less if many wait. */
  retire(nameOrId: string): Promise<boolean> {
    return this.track(this.untilIdle().then(() => this.tryToRemove(nameOrId)));
  }

  /** Same as `remove`, for a container that the engine may still create. */
  removeOnceMade(name: string): Promise<boolean> {
    const removing = async () => {
      for (const wait of MAY_STILL_COME_MS) {
        await delay(wait);
        if (!(await this.tryToRemove(name))) return false;
      }
      return true;
    };
    return this.track(removing());
  }

  /** Waits for all removals, also those that begin meanwhile. Ends their wait for idle time. */
  async settled(): Promise<void> {
    while (this.underWay.size > 0) {
      while (this.retired.size > 0) this.hastenOldest();
      await Promise.all(this.underWay);
    }
  }

  private async untilIdle(): Promise<void> {
    const waiting = new AbortController();
    this.retired.add(waiting);
    if (this.retired.size > RETIRED_MOST) this.hastenOldest();
    await this.idle.untilIdle(RETIREMENT_MS, waiting.signal);
    this.retired.delete(waiting);
  }

  private hastenOldest(): void {
    const [oldest] = this.retired;
    if (oldest === undefined) return;
    oldest.abort();
    this.retired.delete(oldest);
  }

  private track(removing: Promise<boolean>): Promise<boolean> {
    const removal = removing.finally(() => this.underWay.delete(removal));
    this.underWay.add(removal);
    return removal;
  }

  private async tryToRemove(nameOrId: string): Promise<boolean> {
    const attempt = () =>
      this.runtime.remove(nameOrId).then(
        () => undefined,
        (reason: unknown) => reason,
      );
    let error = await attempt();
    for (const wait of this.retriesMs) {
      if (error === undefined) break;
      await delay(wait);
      error = await attempt();
    }
    if (error === undefined) return true;
    this.log.warn({ err: error, container: nameOrId }, 'a container could not be removed');
    return false;
  }
}
