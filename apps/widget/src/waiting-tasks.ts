/**
 * How many tasks of each client wait for a worker, as far as this widget knows: so that a client
 * that sends without end has its own programs wait, and not everybody else's. A queue has one
 * order; a fair one would take a queue for each client, and workers that hold tasks of all of
 * them which they cannot run yet.
 */

/** A client that never polls tells nobody that its task has begun: after so long it is taken to have. */
const FORGOTTEN_MS = 5 * 60_000;

/** The client has as many tasks waiting as it may. */
export class TooManyWaiting extends Error {
  override name = 'TooManyWaiting';
}

interface WaitingTask {
  readonly client: string;
  readonly since: number;
}

export class WaitingTasks {
  /** By identifier, the oldest first. */
  private readonly tasks = new Map<string, WaitingTask>();
  private readonly counts = new Map<string, number>();

  /** @param ofClient how many may wait of one client; 0 for any number */
  constructor(private readonly ofClient: number) {}

  /** Has a task accepted by `submit`, counted from before that, so that many at once are too. Rejects with TooManyWaiting. */
  async admit(identifier: string, client: string, submit: () => Promise<void>): Promise<void> {
    this.add(identifier, client);
    try {
      await submit();
    } catch (error) {
      this.remove(identifier);
      throw error;
    }
  }

  private add(identifier: string, client: string): void {
    if (this.ofClient === 0) return;
    this.forgetOld();
    const count = this.counts.get(client) ?? 0;
    if (count >= this.ofClient) {
      throw new TooManyWaiting(`${count} programs from your address are waiting already. Wait until one of them has begun, then send this one again.`);
    }
    this.counts.set(client, count + 1);
    this.tasks.set(identifier, { client, since: performance.now() });
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
