/** A mutex for each key with a bounded queue, and a semaphore over all keys together. */
import { Mutex, Semaphore } from 'async-mutex';

export class KeyedMutex {
  private readonly queues = new Map<string, { mutex: Mutex; length: number }>();
  private readonly permits: Semaphore;

  constructor(
    /** How much work runs at a time, over all keys. */
    permits: number,
    /** How much work may run or wait for one key. */
    private readonly queueLimit: number,
  ) {
    this.permits = new Semaphore(permits);
  }

  /** Runs `work` when no other work of `key` runs. Throws the error that `queueFull` makes if too much waits. */
  async run<T>(key: string, work: () => Promise<T>, queueFull: () => Error): Promise<T> {
    const queue = this.queues.get(key) ?? { mutex: new Mutex(), length: 0 };
    if (queue.length >= this.queueLimit) throw queueFull();
    this.queues.set(key, queue);
    queue.length++;
    try {
      return await queue.mutex.runExclusive(() => this.permits.runExclusive(work));
    } finally {
      queue.length--;
      if (queue.length === 0) this.queues.delete(key);
    }
  }
}
