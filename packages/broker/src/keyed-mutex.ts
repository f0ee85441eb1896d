/** A mutex for each key with a bounded queue, and a semaphore over all keys together. */
export class KeyedMutex {
  private readonly queues = new Map<string, { last: Promise<unknown>; length: number }>();
  private readonly waiting: (() => void)[] = [];
  private permits: number;

  constructor(
    /** How much work runs at a time, over all keys. */
    permits: number,
    /** How much work may run or wait for one key. */
    private readonly queueLimit: number,
  ) {
    this.permits = permits;
  }

  /** Runs `work` when no other work of `key` runs. Throws the error that `queueFull` makes if too much waits. */
  async run<T>(key: string, work: () => Promise<T>, queueFull: () => Error): Promise<T> {
    const queue = this.queues.get(key) ?? { last: Promise.resolve(), length: 0 };
    if (queue.length >= this.queueLimit) throw queueFull();
    this.queues.set(key, queue);
    queue.length++;
    const result = queue.last.then(() => this.withPermit(work));
    queue.last = result.catch(() => undefined);
    try {
      return await result;
    } finally {
      queue.length--;
      if (queue.length === 0) this.queues.delete(key);
    }
  }

  private async withPermit<T>(work: () => Promise<T>): Promise<T> {
    if (this.permits > 0) this.permits--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The permit goes to the next that waits.
      const next = this.waiting.shift();
      if (next) next();
      else this.permits++;
    }
  }
}
