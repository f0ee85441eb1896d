/** A shared/exclusive lock (a readers-writer lock) for asynchronous work in this process. */
export class SharedExclusiveLock {
  private readonly shared = new Set<Promise<unknown>>();
  private exclusive: Promise<unknown> | undefined;

  /** Runs `work` beside other shared work, after exclusive work that runs or waits. */
  async withShared<T>(work: () => Promise<T>): Promise<T> {
    while (this.exclusive) await this.exclusive;
    const result = work();
    const settled = result.catch(() => undefined);
    this.shared.add(settled);
    void settled.then(() => this.shared.delete(settled));
    return result;
  }

  /** Runs `work` alone: after all work that runs, and before any that comes later. */
  async withExclusive<T>(work: () => Promise<T>): Promise<T> {
    while (this.exclusive) await this.exclusive;
    const result = Promise.all(this.shared).then(work);
    const settled = result.then(
      () => undefined,
      () => undefined,
    );
    this.exclusive = settled;
    try {
      return await result;
    } finally {
      if (this.exclusive === settled) this.exclusive = undefined;
    }
  }
}
