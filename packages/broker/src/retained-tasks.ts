/**
 * Keeps tasks whose reply queue is unavailable. A broker node that is down, with some reply queues on
 * it, must not stop tasks whose reply queues are on other nodes.
 */
import type { Broker } from './connection.js';
import { untilQueueAvailable } from './queue-availability.js';

/** Shorter than the 15 minutes after which the broker closes a channel that does not acknowledge. */
const RETAINED_MS = 10 * 60_000;
/** Maximum number of tasks retained beside those that run. */
const MAX_RETAINED = 32;

export class RetainedTasks {
  private count = 0;

  constructor(private readonly broker: Broker) {}

  /**
   * Resolves when the reply queue is available or gone, after ten minutes, or when `signal` is aborted.
   * Meanwhile `addConsumer` starts another consumer, so that the worker's capacity stays the same; it
   * resolves to the function that stops that consumer.
   */
  async retain(identifier: string, addConsumer: () => Promise<() => void>, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    // Not AbortSignal.timeout: AbortSignal.any does not keep it alive.
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), RETAINED_MS);
    this.broker.log.warn({ identifier }, 'a task is retained until its reply queue is available');
    // Not awaited: a broker that does not answer does not start it.
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
