/** Estimates how fast the task queue moves, as this replica has seen it. The source of Retry-After. */

/** The time of a task until the first one has ended: that of a small program. */
const INITIAL_MS = 2000;
/** The weight of the newest task in the moving average. */
const NEWEST_WEIGHT = 0.1;
const MAX_RETRY_S = 60;
/** How many identifiers are remembered, whose end may be polled again. */
const REMEMBERED = 200;

export interface Load {
  waiting: number;
  slots: number;
}

export class ThroughputEstimator {
  private averageMs = INITIAL_MS;
  private readonly recent: string[] = [];

  /** A task kept a worker busy for `workMs`. It counts once, however often its end is polled. */
  record(identifier: string, workMs: number): void {
    if (this.recent.includes(identifier)) return;
    if (this.recent.push(identifier) > REMEMBERED) this.recent.shift();
    this.averageMs += NEWEST_WEIGHT * (workMs - this.averageMs);
  }

  /** Seconds, 1 to 60, until `slots` workers at a time have taken the tasks that are `waiting` now. */
  retryAfterSeconds({ waiting, slots }: Load): number {
    if (slots === 0) return MAX_RETRY_S;
    return Math.min(MAX_RETRY_S, Math.max(1, Math.ceil((waiting * this.averageMs) / slots / 1000)));
  }
}
