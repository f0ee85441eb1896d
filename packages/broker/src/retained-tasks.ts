/** Retains tasks whose reply queue is on a broker node that is down, so that other tasks can run. */
import type { Broker } from './connection.js';
import { untilQueueAvailable } from './queue-availability.js';

/** Shorter than the 15 minutes after which the broker closes a channel that does not acknowledge. */
const RETAINED_MS = 10 * 60_000;
/** Maximum number of additional consumers, each in place of a retained task. */
const MAX_RETAINED = 32;

export class RetainedTasks {
  private count = 0;

  constructor(private readonly broker: Broker) {}

  /** Resolves when the reply queue is available or gone, after ten minutes, or when `signal` is aborted. */
  async retain(identifier: string, addConsumer: () => Promise<() => void>, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    // Not AbortSignal.timeout(): AbortSignal.any() does not keep it alive (nodejs/node#57736).
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), RETAINED_MS);
    this.broker.log.warn({ identifier }, 'a task is retained until its reply queue is available');
    // Not awaited, because the broker may not answer. Then there is no additional consumer.
    const stop = this.count < MAX_RETAINED ? addConsumer().catch(() => undefined) : undefined;
    this.count++;
    await untilQueueAvailable(
      this.broker,
      this.broker.topology.replyQueue(identifier),
      AbortSignal.any([signal, limit.signal]),
    );
    this.count--;
    clearTimeout(timer);
    void stop?.then((stopIt) => stopIt?.());
  }
}
