/** Containers on their way out: off the path of a task, but never lost sight of. */
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { IdleGate } from './idle-gate.js';
import { engineCall, httpStatus } from './engine.js';
import { MAY_STILL_COME_MS, REMOVAL_RETRIES_MS, RETIRED_MOST, RETIREMENT_MS } from './limits.js';
import type { Log } from './log.js';

/** Not there any more, or another removal is under way. */
const GONE = new Set([404, 409]);

export class Removals {
  readonly #underWay = new Set<Promise<boolean>>();
  /** Those that were given up. */
  readonly #left = new Set<string>();
  /** Abort controllers of retired containers that wait for idle time, oldest first. */
  readonly #retired = new Set<AbortController>();

  constructor(
    private readonly docker: Docker,
    private readonly idle: IdleGate,
    private readonly log: Log,
    private readonly retriesMs: readonly number[] = REMOVAL_RETRIES_MS,
  ) {}

  /**
   * Removes a container, running or not, with what is in it, and begins so many ms from now; tries
   * again for a while. Never rejects: what cannot be removed is logged, and is a leftover for the
   * next who looks for those.
   */
  remove(nameOrId: string, afterMs = 0): Promise<boolean> {
    return this.#follow(afterMs > 0 ? delay(afterMs).then(() => this.#remove(nameOrId)) : this.#remove(nameOrId));
  }

  /** As `remove`, but waits for idle time: RETIREMENT_MS at most, and less if many containers wait. */
  retire(nameOrId: string): Promise<boolean> {
    return this.#follow(this.#turn().then(() => this.#remove(nameOrId)));
  }

  /** As `remove`, for one whose making was not answered: it may still come, and then has to go. */
  removeOnceMade(name: string): Promise<boolean> {
    const removing = async () => {
      for (const wait of MAY_STILL_COME_MS) {
        await delay(wait);
        if (!(await this.#remove(name))) return false;
      }
      return true;
    };
    return this.#follow(removing());
  }

  /** Tries again what was given up: the engine may be better by now. Without `retries`, once. */
  async removeLeft(retries: readonly number[] = this.retriesMs): Promise<void> {
    const left = [...this.#left];
    this.#left.clear();
    await Promise.all(left.map((each) => this.#follow(this.#remove(each, retries))));
  }

  /** Waits for all removals, also those that begin meanwhile. None waits for idle time any more. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) {
      while (this.#retired.size > 0) this.#hasten();
      await Promise.all(this.#underWay);
    }
  }

  async #turn(): Promise<void> {
    const waiting = new AbortController();
    this.#retired.add(waiting);
    if (this.#retired.size > RETIRED_MOST) this.#hasten();
    await this.idle.untilIdle(RETIREMENT_MS, waiting.signal);
    this.#retired.delete(waiting);
  }

  /** The one that waits for the longest need not wait any more. */
  #hasten(): void {
    const [oldest] = this.#retired;
    if (oldest === undefined) return;
    oldest.abort();
    this.#retired.delete(oldest);
  }

  #follow(removing: Promise<boolean>): Promise<boolean> {
    const removal = removing.finally(() => this.#underWay.delete(removal));
    this.#underWay.add(removal);
    return removal;
  }

  async #remove(nameOrId: string, retries: readonly number[] = this.retriesMs): Promise<boolean> {
    let error = await this.#attempt(nameOrId);
    for (const wait of retries) {
      if (error === undefined) return true;
      await delay(wait);
      error = await this.#attempt(nameOrId);
    }
    if (error === undefined) return true;
    this.#left.add(nameOrId);
    this.log.warn({ err: error, container: nameOrId }, 'a container could not be removed');
    return false;
  }

  async #attempt(nameOrId: string): Promise<unknown> {
    try {
      const container = this.docker.getContainer(nameOrId);
      await engineCall('remove a container', (abortSignal) => container.remove({ force: true, v: true, abortSignal }));
      return undefined;
    } catch (error) {
      const status = httpStatus(error instanceof Error ? error.cause : undefined);
      return status !== undefined && GONE.has(status) ? undefined : error;
    }
  }
}
