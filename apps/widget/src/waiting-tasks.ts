/**
 * How many tasks of each client wait for a worker, as far as this widget knows: so that a client
 * that sends without end has its own programs wait, and not everybody else's. A queue has one
 * order; a fair one would take a queue for each client, and workers that hold tasks of all of
 * them which they cannot run yet.
 */

import type { Load } from './throughput.js';

/** A client that never polls tells nobody that its task has begun: after so long it is taken to have. */
const FORGOTTEN_MS = 5 * 60_000;

/** The client has as many tasks waiting as it may. */
export class TooManyWaiting extends Error {
  override name = 'TooManyWaiting';

  constructor(
    count: number,
    /** What waits, of all clients. */
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
  /** By identifier, the oldest first. */
  private readonly tasks = new Map<string, WaitingTask>();
  private readonly counts = new Map<string, number>();

  /**
   * @param ofClient how many may wait of one client; 0 for any number
   * @param load asks the queue itself, which knows of no clients, but of all widgets
   */
  constructor(
    private readonly ofClient: number,
    private readonly load: () => Promise<Load>,
  ) {}

  /**
   * Has a task accepted by `submit`, counted from before that, so that many at once are too. Rejects with
   * TooManyWaiting.
   */
  async admit(identifier: string, client: string, submit: () => Promise<void>): Promise<void> {
    if (this.ofClient === 0) return submit();
    this.forgetOld();
    if (this.countOf(client) >= this.ofClient) await this.demandRoom(client);
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
   * The polls that saw a task begin may all have been answered by another widget: where fewer wait
   * in all than are counted of this client, its oldest are not among them any more.
   */
  private async demandRoom(client: string): Promise<void> {
    const load = await this.load();
    for (const [identifier, task] of this.tasks) {
      if (this.countOf(client) <= load.waiting) break;
      if (task.client === client) this.remove(identifier);
    }
    if (this.countOf(client) >= this.ofClient) throw new TooManyWaiting(this.countOf(client), load);
  }

  /** A worker has it. Nothing if this widget knows of no such task. */
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
