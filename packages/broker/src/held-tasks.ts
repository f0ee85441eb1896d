/**
 * Tasks that cannot be answered for now, since their reply queue is out of reach: a node of the
 * broker that is down, with some answers on it, keeps no task from running whose answer is elsewhere.
 */
import type { Broker } from './connection.js';
import { untilQueueAvailable } from './queue-availability.js';

/** Below what a broker takes a consumer for hung after, 15 minutes here. */
const HELD_MS = 10 * 60_000;
/** Maximum number of tasks held beside those that are worked on. */
const HELD_TASKS = 32;

export class HeldTasks {
  private count = 0;

  constructor(private readonly broker: Broker) {}

  /**
   * Resolves when the task can be given back with some use, or `signal` is aborted. Meanwhile
   * another consumer takes the place of the one that it came through: `take` starts it and resolves
   * to what stops it.
   */
  async hold(identifier: string, take: () => Promise<() => void>, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    // Not AbortSignal.timeout, which `any` lets go of if nobody else holds it.
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), HELD_MS);
    const enough = AbortSignal.any([signal, limit.signal]);
    this.broker.log.warn({ identifier }, 'a task is held until its answer can be delivered');
    // A broker that is silent does not start it: nobody waits for that.
    const stop = this.count < HELD_TASKS ? take().catch(() => undefined) : undefined;
    this.count++;
    await untilQueueAvailable(this.broker, this.broker.topology.replyQueue(identifier), enough);
    this.count--;
    clearTimeout(timer);
    void stop?.then((stopIt) => stopIt?.());
  }
}
