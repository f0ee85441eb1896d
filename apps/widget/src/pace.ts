/** How fast the queue moves, as this replica has seen it: the source of Retry-After. */

/** Until a task has ended, a run is taken to be as long as a small program's. */
const FIRST_GUESS_MS = 2000;
/** The weight of the newest task in the mean. */
const NEWEST = 0.1;
const LONGEST_RETRY_S = 60;
/** Tasks whose end may be polled again. */
const REMEMBERED = 200;

export interface Load {
  waiting: number;
  slots: number;
}

export class Pace {
  private meanMs = FIRST_GUESS_MS;
  private readonly recent: string[] = [];

  /** A task kept a worker busy for `workMs`; it counts once, however often its end is polled. */
  record(identifier: string, workMs: number): void {
    if (this.recent.includes(identifier)) return;
    if (this.recent.push(identifier) > REMEMBERED) this.recent.shift();
    this.meanMs += NEWEST * (workMs - this.meanMs);
  }

  /** Seconds (1 to 60) in which `slots` tasks at a time will have taken those that are `waiting` now. */
  retryAfterSeconds({ waiting, slots }: Load): number {
    if (slots === 0) return LONGEST_RETRY_S;
    return Math.min(LONGEST_RETRY_S, Math.max(1, Math.ceil((waiting * this.meanMs) / slots / 1000)));
  }
}
