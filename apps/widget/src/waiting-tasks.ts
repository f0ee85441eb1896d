/**
 * Limits how many tasks of one client wait, as far as this process knows, so that a flood delays mostly its sender.
 * There is no fair queueing, because it would need a queue for each client, and workers that hold tasks which they
 * cannot run yet.
 */

import type { Load } from './throughput.js';

/** A client that never polls does not show that its task has begun. After this time it is assumed to have begun. */
const FORGOTTEN_MS = 5 * 60_000;

export class TooManyWaiting extends Error {
  override name = 'TooManyWaiting';

  constructor(
    count: number,
    readonly load: Load,
  ) {
    super(
      `${count} programs from your address are waiting already. Wait until one of them has begun, then send this one again.`,
    );
  }
}

interface WaitingTask {
  readonly client: string;
  readonly since: number;
}

export class WaitingTasks {
  /** By identifier, oldest first. */
  private readonly tasks = new Map<string, WaitingTask>();
  private readonly counts = new Map<string, number>();

  /**
   * `ofClient`: limit of one client; 0 means no limit. `load` reads the queue, which has the tasks of all API
   * processes.
   */
  constructor(
    private readonly ofClient: number,
    private readonly load: () => Promise<Load>,
  ) {}

  /** Counts the task before `submit`, so that simultaneous requests are limited. Rejects with TooManyWaiting. */
  async admit(identifier: string, client: string, submit: () => Promise<void>): Promise<void> {
    if (this.ofClient === 0) return submit();
    this.forgetOld();
    if (this.countOf(client) >= this.ofClient) await this.checkLimit(client);
    this.add(identifier, client);
    try {
      await submit();
    } catch (error) {
      this.remove(identifier);
      throw error;
    }
  }

  private add(identifier: string, client: string): void {
    this.counts.set(client, this.countOf(client) + 1);
    this.tasks.set(identifier, { client, since: performance.now() });
  }

  private countOf(client: string): number {
    return this.counts.get(client) ?? 0;
  }

  /**
   * Our count can be too high, because another API process may have answered the poll that showed that a task had
   * begun. A client cannot have more waiting tasks than the queue has, so its oldest surplus ones are forgotten. Throws
   * TooManyWaiting if the client is still at its limit.
   */
  private async checkLimit(client: string): Promise<void> {
    const load = await this.load();
    for (const [identifier, task] of this.tasks) {
      if (this.countOf(client) <= load.waiting) break;
      if (task.client === client) this.remove(identifier);
    }
    if (this.countOf(client) >= this.ofClient) throw new TooManyWaiting(this.countOf(client), load);
  }

  /** To be called when a worker has begun the task. Ignores unknown tasks. */
  remove(identifier: string): void {
    const task = this.tasks.get(identifier);
    if (!task) return;
    this.tasks.delete(identifier);
    const count = (this.counts.get(task.client) ?? 0) - 1;
    if (count > 0) this.counts.set(task.client, count);
    else this.counts.delete(task.client);
  }

  private forgetOld(): void {
    for (const [identifier, { since }] of this.tasks) {
      if (performance.now() - since < FORGOTTEN_MS) return;
      this.remove(identifier);
    }
  }
}
