/**
 * Containers made ahead, so that nobody has to wait for one: each is started, and its launcher
 * waits for the one request that it will ever get. How many wait follows what was asked for.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ContainerShape } from './container-options.js';
import type { Engine, StepContainer } from './container.js';
import type { StepKind } from './launcher-request.js';
import { IDLE_WAIT_MS, POOL_RETRY_MS, POOL_REVIEW_MS } from './limits.js';
import { WaitingContainer } from './waiting-container.js';

export interface PoolOptions {
  /** The most that wait of each kind. */
  most: number;
  /** The containers of each kind. */
  shapes: Record<StepKind, ContainerShape>;
  /** How often those that wait are looked at, in ms. */
  reviewMs?: number;
}

/** So many wait whatever happens, of what nearly every task needs. */
const LEAST: Record<StepKind, number> = { build: 1, run: 1, prove: 0 };
const KINDS = Object.keys(LEAST) as StepKind[];

interface Shelf {
  waiting: WaitingContainer[];
  /** How many should wait. */
  wanted: number;
  /** When last one was asked for and none was there. */
  shortMs: number;
}

export class Pool {
  readonly #shelves: Record<StepKind, Shelf>;
  readonly #closing = new AbortController();
  readonly #review: NodeJS.Timeout;
  #filling: Promise<void> | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly options: PoolOptions,
  ) {
    const shelf = (kind: StepKind): Shelf => ({ waiting: [], wanted: Math.min(LEAST[kind], options.most), shortMs: 0 });
    this.#shelves = { build: shelf('build'), run: shelf('run'), prove: shelf('prove') };
    this.#review = setInterval(() => void this.#lookThrough(), options.reviewMs ?? POOL_REVIEW_MS).unref();
    this.#fill();
  }

  /**
   * One that nobody was given before, if one waits that is as `shape` says, and made for that
   * image. Then it is the caller's.
   */
  take(shape: ContainerShape, imageId: string): StepContainer | undefined {
    const { kind } = shape;
    if (!fits(shape, this.options.shapes[kind])) return undefined;
    const shelf = this.#shelves[kind];
    let container: StepContainer | undefined;
    for (let next; container === undefined && (next = shelf.waiting.shift()); ) {
      if (next.imageId === imageId) container = next.handOver();
      else next.dispose();
    }
    if (container === undefined) {
      shelf.wanted = Math.min(shelf.wanted + 1, this.options.most);
      shelf.shortMs = performance.now();
    }
    this.#fill();
    return container;
  }

  /** Nothing waits afterwards, and nothing will. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#review);
    for (const { waiting } of Object.values(this.#shelves)) for (const each of waiting.splice(0)) each.dispose();
    await this.#filling;
  }

  #fill(): void {
    this.#filling ??= this.#makeMissing().finally(() => (this.#filling = undefined));
  }

  /** One at a time: what is asked for meanwhile is made by whoever asks. */
  async #makeMissing(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const kind = this.#missing();
      if (kind === undefined) return;
      await this.engine.idle.untilIdle(IDLE_WAIT_MS, signal);
      const waiting = await WaitingContainer.make(this.engine, this.options.shapes[kind], signal).catch(() => undefined);
      // The steps' own attempts tell of an engine in trouble.
      if (waiting === undefined) await delay(POOL_RETRY_MS, undefined, { signal }).catch(() => undefined);
      else if (signal.aborted) waiting.dispose();
      else this.#shelves[kind].waiting.push(waiting);
    }
  }

  #missing(): StepKind | undefined {
    const missing = (kind: StepKind) => this.#shelves[kind].wanted - this.#shelves[kind].waiting.length;
    const [most] = KINDS.toSorted((one, other) => missing(other) - missing(one));
    return most !== undefined && missing(most) > 0 ? most : undefined;
  }

  /** Throws away what is not as it was made, has waited too long, or is no longer wanted. */
  async #lookThrough(): Promise<void> {
    const nowMs = performance.now();
    for (const kind of KINDS) {
      const shelf = this.#shelves[kind];
      const { waitMs } = this.options.shapes[kind];
      if (shelf.wanted > LEAST[kind] && nowMs - shelf.shortMs > waitMs) shelf.wanted--;
      const surplus = shelf.waiting.slice(0, Math.max(0, shelf.waiting.length - shelf.wanted));
      for (const each of [...shelf.waiting]) {
        const isGood = !surplus.includes(each) && nowMs - each.sinceMs < waitMs && (await each.isUntouched());
        const at = shelf.waiting.indexOf(each);
        // It may have been handed over meanwhile.
        if (!isGood && at >= 0) shelf.waiting.splice(at, 1)[0]?.dispose();
      }
    }
    this.#fill();
  }
}

/** Whether what waits is what was asked for. It may live longer, never shorter. */
function fits(asked: ContainerShape, waiting: ContainerShape): boolean {
  return asked.workspaceBytes === waiting.workspaceBytes && asked.stepMs <= waiting.stepMs;
}
