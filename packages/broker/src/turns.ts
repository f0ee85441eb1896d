/** Who may work when: one at a time for each key, and not too many in all. */

export class Turns {
  private readonly lines = new Map<string, { last: Promise<unknown>; length: number }>();
  private readonly waiting: (() => void)[] = [];
  private free: number;

  constructor(
    atATime: number,
    /** How many may stand in line for one key, the one whose turn it is included. */
    private readonly longestLine: number,
  ) {
    this.free = atATime;
  }

  /** Runs `work` when it is its turn; throws what `tooLong` makes if the line for `key` is too long. */
  async take<T>(key: string, work: () => Promise<T>, tooLong: () => Error): Promise<T> {
    const line = this.lines.get(key) ?? { last: Promise.resolve(), length: 0 };
    if (line.length >= this.longestLine) throw tooLong();
    this.lines.set(key, line);
    line.length++;
    const turn = line.last.then(() => this.amongAll(work));
    line.last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      line.length--;
      if (line.length === 0) this.lines.delete(key);
    }
  }

  private async amongAll<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      // Handed on to the next in line, or free again.
      const next = this.waiting.shift();
      if (next) next();
      else this.free++;
    }
  }
}
