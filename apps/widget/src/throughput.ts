/** Estimates how fast the task queue moves, from the tasks that this replica has seen. The source of Retry-After. */

/** Initial estimate: the time of a small program. */
const INITIAL_MS = 2000;
const NEWEST_WEIGHT = 0.1;
const MAX_RETRY_S = 60;
/** Number of remembered identifiers: the end of a task may be polled again, and must not be counted again. */
const REMEMBERED = 200;

export interface Load {
  waiting: number;
  slots: number;
}

export class ThroughputEstimator {
  private averageMs = INITIAL_MS;
  private readonly recent: string[] = [];

  /** `workMs`: how long the task kept a worker busy. Each task counts once, however often its end is polled. */
  record(identifier: string, workMs: number): void {
    if (this.recent.includes(identifier)) return;
    if (this.recent.push(identifier) > REMEMBERED) this.recent.shift();
    this.averageMs += NEWEST_WEIGHT * (workMs - this.averageMs);
  }

  /** Seconds, 1 to 60, until `slots` workers have taken all `waiting` tasks. */
  retryAfterSeconds({ waiting, slots }: Load): number {
    if (slots === 0) return MAX_RETRY_S;
    return Math.min(MAX_RETRY_S, Math.max(1, Math.ceil((waiting * this.averageMs) / slots / 1000)));
  }
}
