/** Decides which polls long-poll, which are delayed because they come too soon, and which are answered at once. */
import { setTimeout as sleep } from 'node:timers/promises';

import { type LongPoll, ReplyQueueBusy } from '@code-widgets/broker';
import { LRUCache } from 'lru-cache';

import type { Presence } from './presence.js';

/**
 * Minimum time from an answer to the next poll of that task. A poll locks the reply queue, so without a pause one
 * client could keep out polls in other API processes.
 */
const PAUSE_MS = 50;
/** Minimum time under load. Shorter than the pause of the page, so that a page is never delayed. */
const PAUSE_UNDER_LOAD_MS = 200;
/** Maximum number of long polls. Each uses a channel. */
const WAITING_AT_A_TIME = 32;
/** Above this rate no poll long-polls, because it would delay polls that have something to answer. */
const POLLS_PER_SECOND = 100;
const REMEMBERED = 4096;

export class PollThrottle {
  private readonly waiting = new Set<string>();
  private readonly answered = new LRUCache<string, number>({ max: REMEMBERED });
  /** Polls in the current second of the clock, and in the one before. */
  private recent = { second: 0, polls: 0, before: 0 };

  /** @param waitMs timeout of a long poll; 0 turns long polling and delays off */
  constructor(
    private readonly waitMs: number,
    private readonly now: () => number = () => performance.now(),
    private readonly wait: (ms: number, signal: AbortSignal) => Promise<unknown> = (ms, signal) =>
      sleep(ms, undefined, { signal }),
  ) {}

  /**
   * Delays a poll that comes too soon, then calls it, with a LongPoll if it may wait. Throws ReplyQueueBusy if the
   * client closes the connection during the delay. A half-close does not end the delay.
   */
  async run<T>(identifier: string, client: Presence, poll: (longPoll?: LongPoll) => Promise<T>): Promise<T> {
    if (this.waitMs === 0) return poll();
    const isLoaded = this.countAndEstimateRate() > POLLS_PER_SECOND;
    const lastMs = this.lastAnswerMs(identifier);
    const tooSoonMs = lastMs + (isLoaded ? PAUSE_UNDER_LOAD_MS : PAUSE_MS) - this.now();
    if (tooSoonMs > 0) await this.delay(identifier, tooSoonMs, client.gone());
    // Only one of several delayed polls may long-poll.
    const isNext = this.lastAnswerMs(identifier) === lastMs && !this.waiting.has(identifier);
    const waits = !isLoaded && isNext && this.waiting.size < WAITING_AT_A_TIME;
    if (waits) this.waiting.add(identifier);
    try {
      return await poll(waits ? { ms: this.waitMs, signal: client.silent() } : undefined);
    } finally {
      if (waits) this.waiting.delete(identifier);
      this.answered.set(identifier, this.now());
    }
  }

  private async delay(identifier: string, ms: number, signal: AbortSignal): Promise<void> {
    await this.wait(ms, signal).catch(() => undefined);
    if (signal.aborted) throw new ReplyQueueBusy(identifier);
  }

  private lastAnswerMs(identifier: string): number {
    return this.answered.get(identifier) ?? -Infinity;
  }

  /**
   * Counts a poll. Returns the estimated polls of the last second, from this second of the clock and the one before.
   */
  private countAndEstimateRate(): number {
    const seconds = this.now() / 1000;
    const second = Math.floor(seconds);
    const passed = second - this.recent.second;
    if (passed > 0) this.recent = { second, polls: 0, before: passed === 1 ? this.recent.polls : 0 };
    this.recent.polls++;
    return this.recent.polls + this.recent.before * (1 - (seconds - second));
  }
}
