/** Warm containers: started ahead of demand, each with its launcher waiting for one request. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerSpec } from './container-options.js';
import type { ContainerLease } from './container.js';
import type { IdleGate } from './idle-gate.js';
import { IDLE_WAIT_MS, POOL_RETRY_MS, POOL_REVIEW_MS } from './limits.js';
import { WarmContainer, type WarmDependencies } from './warm-container.js';

export interface PoolOptions {
  /** Maximum number of warm containers of each profile. */
  maxWarm: number;
  specs: readonly ContainerSpec[];
  /** Interval of `review` in ms. */
  reviewMs?: number;
}

export interface PoolDependencies extends WarmDependencies {
  readonly idle: IdleGate;
}

interface Stock {
  readonly spec: ContainerSpec;
  readonly minWarm: number;
  readonly warm: WarmContainer[];
  /** Wanted number of warm containers. */
  target: number;
  /** Time of the last `lease` that found none. */
  missedMs: number;
}

export class WarmPool {
  private readonly stocks: ReadonlyMap<string, Stock>;
  private readonly closing = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private filling: Promise<void> | undefined;

  constructor(
    private readonly dependencies: PoolDependencies,
    private readonly options: PoolOptions,
  ) {
    const stockOf = (spec: ContainerSpec): Stock => {
      const minWarm = Math.min(spec.profile.minWarm, options.maxWarm);
      return { spec, minWarm, warm: [], target: minWarm, missedMs: 0 };
    };
    this.stocks = new Map(options.specs.map((spec) => [spec.profile.name, stockOf(spec)]));
    this.timer = setInterval(() => void this.review(), options.reviewMs ?? POOL_REVIEW_MS).unref();
    this.fill();
  }

  /**
   * Returns a warm container with the same workspace size, enough time for the job, and this image; undefined if there
   * is none.
   */
  lease(spec: ContainerSpec, imageId: string): ContainerLease | undefined {
    const stock = this.stocks.get(spec.profile.name);
    if (stock === undefined || !fits(spec, stock.spec)) return undefined;
    let lease: ContainerLease | undefined;
    for (let next; lease === undefined && (next = stock.warm.shift());) {
      if (next.imageId === imageId) lease = next.handOver();
      else next.discard();
    }
    if (lease === undefined) {
      stock.target = Math.min(stock.target + 1, this.options.maxWarm);
      stock.missedMs = performance.now();
    }
    this.fill();
    return lease;
  }

  /** Discards all warm containers. None is made afterwards. */
  async close(): Promise<void> {
    this.closing.abort();
    clearInterval(this.timer);
    for (const { warm } of this.stocks.values()) for (const each of warm.splice(0)) each.discard();
    await this.filling;
  }

  private fill(): void {
    this.filling ??= this.makeMissing().finally(() => (this.filling = undefined));
  }

  /** Makes one container at a time. There is no hurry, because a job that finds no warm container makes its own. */
  private async makeMissing(): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      const stock = this.mostMissing();
      if (stock === undefined) return;
      await this.dependencies.idle.untilIdle(IDLE_WAIT_MS, signal);
      const made = await WarmContainer.make(this.dependencies, stock.spec, signal).catch(() => undefined);
      // Not logged: the jobs' own attempts report an engine that fails.
      if (made === undefined) await delay(POOL_RETRY_MS, undefined, { signal }).catch(() => undefined);
      else if (signal.aborted) made.discard();
      else stock.warm.push(made);
    }
  }

  private mostMissing(): Stock | undefined {
    const missing = ({ target, warm }: Stock) => target - warm.length;
    const [most] = [...this.stocks.values()].sort((one, other) => missing(other) - missing(one));
    return most !== undefined && missing(most) > 0 ? most : undefined;
  }

  /**
   * Lowers targets that were not missed lately. Discards containers that were touched, are too old, or exceed the
   * target.
   */
  private async review(): Promise<void> {
    const nowMs = performance.now();
    for (const stock of this.stocks.values()) {
      const { warm, spec } = stock;
      if (stock.target > stock.minWarm && nowMs - stock.missedMs > spec.waitMs) stock.target--;
      const surplus = warm.slice(0, Math.max(0, warm.length - stock.target));
      for (const each of [...warm]) {
        const isGood = !surplus.includes(each) && nowMs - each.sinceMs < spec.waitMs && (await each.isUntouched());
        const at = warm.indexOf(each);
        // It may have been leased meanwhile.
        if (!isGood && at >= 0) warm.splice(at, 1)[0]?.discard();
      }
    }
    this.fill();
  }
}

/** The workspace size must be equal. The container's time limit may be longer than the job's, not shorter. */
function fits(asked: ContainerSpec, warm: ContainerSpec): boolean {
  return asked.workspaceBytes === warm.workspaceBytes && asked.jobMs <= warm.jobMs;
}
