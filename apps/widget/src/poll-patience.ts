/**
 * Which polls wait a moment for something to come, which are held since they come too soon, and
 * which are told at once that there is nothing. Who waits sees output when it comes and not with the
 * next poll, and polls less.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { type Patience, ReplyQueueBusy } from '@code-widgets/broker';

import type { Presence } from './presence.js';

/**
 * From an answer to when the same task's next poll looks; one that comes sooner is held until then.
 * Who never stops asking would keep other widgets' polls of it out, and the processors from what it
 * waits for.
 */
const PAUSE_MS = 50;
/** The same in a crowd. Shorter than the frontend's own: who asks as it does is never held. */
const PAUSE_IN_CROWD_MS = 200;
/** Each has a channel meanwhile. */
const WAITING_AT_A_TIME = 32;
/** With more of them in the last second, to wait would only hold up those that there is something for. */
const POLLS_PER_SECOND = 100;
/** Tasks of which it is known when a poll was answered last. */
const REMEMBERED = 4096;

export class PollPatience {
  private readonly waiting = new Set<string>();
  /** When the last poll was answered, of each task, oldest first. */
  private readonly answered = new Map<string, number>();
  /** The polls of the second that the clock shows, and of the one before. */
  private recent = { second: 0, polls: 0, before: 0 };

  /** @param waitMs how long a poll waits at most; 0 for none that waits or is held */
  constructor(
    private readonly waitMs: number,
    private readonly now: () => number = () => performance.now(),
    private readonly hold: (ms: number, signal: AbortSignal) => Promise<unknown> = (ms, signal) => delay(ms, undefined, { signal }),
  ) {}

  /**
   * Has `poll` done, with patience if this one may wait. A poll that is held throws ReplyQueueBusy
   * when its client has gone, and takes nothing. A client that only closes its sending side is held
   * like every other, or it could poll without end.
   */
  async take<T>(identifier: string, client: Presence, poll: (patience?: Patience) => Promise<T>): Promise<T> {
    if (this.waitMs === 0) return poll();
    const isCrowd = this.count() > POLLS_PER_SECOND;
    const lastMs = this.lastAnswerMs(identifier);
    const tooSoonMs = lastMs + (isCrowd ? PAUSE_IN_CROWD_MS : PAUSE_MS) - this.now();
    if (tooSoonMs > 0) await this.holdBack(identifier, tooSoonMs, client.gone());
    // Of several that were held, one waits: the pause is others' after its answer.
    const isNext = this.lastAnswerMs(identifier) === lastMs && !this.waiting.has(identifier);
    const waits = !isCrowd && isNext && this.waiting.size < WAITING_AT_A_TIME;
    if (waits) this.waiting.add(identifier);
    try {
      return await poll(waits ? { ms: this.waitMs, signal: client.silent() } : undefined);
    } finally {
      if (waits) this.waiting.delete(identifier);
      this.remember(identifier);
    }
  }

  private async holdBack(identifier: string, ms: number, signal: AbortSignal): Promise<void> {
    await this.hold(ms, signal).catch(() => undefined);
    if (signal.aborted) throw new ReplyQueueBusy(identifier);
  }

  private lastAnswerMs(identifier: string): number {
    return this.answered.get(identifier) ?? -Infinity;
  }

  /** Counts one more: how many there were in the last second, if those of the one before were evenly spread. */
  private count(): number {
    const seconds = this.now() / 1000;
    const second = Math.floor(seconds);
    const passed = second - this.recent.second;
    if (passed > 0) this.recent = { second, polls: 0, before: passed === 1 ? this.recent.polls : 0 };
    this.recent.polls++;
    return this.recent.polls + this.recent.before * (1 - (seconds - second));
  }

  private remember(identifier: string): void {
    this.answered.delete(identifier);
    this.answered.set(identifier, this.now());
    if (this.answered.size > REMEMBERED) this.answered.delete(this.answered.keys().next().value as string);
  }
}
