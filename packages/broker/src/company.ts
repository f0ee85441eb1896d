/** Work that bears company, and work that must have none: many at a time, or one alone. */

export class Company {
  private readonly together = new Set<Promise<unknown>>();
  private alone: Promise<unknown> | undefined;

  /** Runs `work` beside others, once nobody is alone or waits to be. */
  async join<T>(work: () => Promise<T>): Promise<T> {
    while (this.alone) await this.alone;
    const mine = work();
    const settled = mine.catch(() => undefined);
    this.together.add(settled);
    void settled.then(() => this.together.delete(settled));
    return mine;
  }

  /** Runs `work` once all others have ended; nobody begins meanwhile. */
  async leave<T>(work: () => Promise<T>): Promise<T> {
    while (this.alone) await this.alone;
    const mine = Promise.all(this.together).then(work);
    const settled = mine.then(
      () => undefined,
      () => undefined,
    );
    this.alone = settled;
    try {
      return await mine;
    } finally {
      if (this.alone === settled) this.alone = undefined;
    }
  }
}
