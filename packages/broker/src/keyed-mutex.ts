/** A mutex for each key, with a queue of up to `queueLimit` calls, and a semaphore of `permits` over all keys. */
import { Mutex, Semaphore } from 'async-mutex';

export class KeyedMutex {
  private readonly queues = new Map<string, { mutex: Mutex; length: number }>();
  private readonly permits: Semaphore;

  constructor(
    permits: number,
    private readonly queueLimit: number,
  ) {
    this.permits = new Semaphore(permits);
  }

  /** Runs `work` when no other work of `key` runs. Throws `queueFull()` if the queue of `key` is full. */
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
