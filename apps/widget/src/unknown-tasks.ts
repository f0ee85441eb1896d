/** Limits polls of unknown identifiers, because each costs a channel of the broker. */
import { ReplyQueueGone } from '@code-widgets/broker';
import { LRUCache } from 'lru-cache';

/** Limit of one client. A tab that polls an expired task for ever counts once. */
const UNKNOWN_PER_MINUTE = 100;
const MINUTE_MS = 60_000;
/** Maximum number of known identifiers, of expired identifiers, and of clients that are remembered. */
const REMEMBERED = 10_000;

export class TooManyUnknown extends Error {
  override name = 'TooManyUnknown';
  constructor(readonly retryAfterSeconds: number) {
    super(
      `Your address has asked for ${UNKNOWN_PER_MINUTE} unknown identifiers within a minute. Ask for this one in ${retryAfterSeconds} s.`,
    );
  }
}

interface Client {
  since: number;
  unknown: number;
  /** Polls in progress whose identifiers may be unknown. */
  pending: number;
  waiting: (() => void)[];
}

export class UnknownTasks {
  private readonly known = new LRUCache<string, true>({ max: REMEMBERED });
  /** Identifiers whose queue is missing. An expired queue never comes back, so the broker is not asked again. */
  private readonly gone = new LRUCache<string, true>({ max: REMEMBERED });
  private readonly clients = new LRUCache<string, Client>({ max: REMEMBERED });

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** To be called with each identifier that this process creates. */
  addKnown(identifier: string): void {
    this.known.set(identifier, true);
  }

  /**
   * Calls `poll`, and counts it against the client if an identifier that is new to this process turns out not to exist.
   * An identifier known to be gone throws ReplyQueueGone at once; a client at its limit gets TooManyUnknown.
   */
  async poll<T>(identifier: string, key: string, poll: () => Promise<T>): Promise<T> {
    if (this.gone.has(identifier)) throw new ReplyQueueGone(identifier);
    if (this.known.has(identifier)) return this.ask(identifier, poll);
    const client = await this.admit(key);
    try {
      // Another poll may have found the queue missing meanwhile.
      if (this.gone.has(identifier)) throw new ReplyQueueGone(identifier);
      return await this.ask(identifier, poll, () => client.unknown++);
    } finally {
      client.pending--;
      for (const retry of client.waiting.splice(0)) retry();
    }
  }

  private async ask<T>(identifier: string, poll: () => Promise<T>, onUnknown?: () => void): Promise<T> {
    try {
      const result = await poll();
      this.addKnown(identifier);
      return result;
    } catch (error) {
      if (error instanceof ReplyQueueGone) {
        this.known.delete(identifier);
        if (!this.gone.has(identifier)) onUnknown?.();
        this.gone.set(identifier, true);
      }
      throw error;
    }
  }

  /** Admits a poll that may be unknown. Waits while the polls in progress could exceed the limit. */
  private async admit(key: string): Promise<Client> {
    for (;;) {
      const client = this.clientOf(key);
      if (client.unknown >= UNKNOWN_PER_MINUTE)
        throw new TooManyUnknown(Math.ceil((client.since + MINUTE_MS - this.now()) / 1000));
      if (client.unknown + client.pending < UNKNOWN_PER_MINUTE) {
        client.pending++;
        return client;
      }
      await new Promise<void>((resolve) => client.waiting.push(resolve));
    }
  }

  private clientOf(key: string): Client {
    let client = this.clients.get(key);
    if (!client) {
      client = { since: this.now(), unknown: 0, pending: 0, waiting: [] };
      this.clients.set(key, client);
    }
    if (this.now() - client.since >= MINUTE_MS) Object.assign(client, { since: this.now(), unknown: 0 });
    return client;
  }
}
