/** Bytes that clients make this process hold: bodies on their way in, answers on their way out. */
import type { ServerResponse } from 'node:http';

const MIB = 1024 * 1024;

export interface ByteLimits {
  readonly ofClient: number;
  readonly inAll: number;
}

/** docs/operations.md has the sum of these and of all else that the process holds. */
export const BODY_BYTES: ByteLimits = Object.freeze({ ofClient: 12 * MIB, inAll: 32 * MIB });
export const UNREAD_BYTES: ByteLimits = Object.freeze({ ofClient: 8 * MIB, inAll: 32 * MIB });

/** The client, or all clients together, have as many bytes under way as they may. Worth another try in a moment. */
export class TooManyBytes extends Error {
  override name = 'TooManyBytes';
}

/** What one request holds, until its response is closed. */
export interface Lease {
  /** How many bytes more there is room for; negative if others have taken more meanwhile. */
  room(): number;
  /** Holds `bytes` in place of what it held before. */
  hold(bytes: number): void;
}

export class BytesUnderWay {
  private readonly clients = new Map<string, number>();
  private total = 0;

  constructor(private readonly limits: ByteLimits) {}

  lease(client: string, response: ServerResponse): Lease {
    let held = 0;
    let isOpen = true;
    const set = (bytes: number) => {
      this.add(client, bytes - held);
      held = bytes;
    };
    response.once('close', () => {
      isOpen = false;
      set(0);
    });
    return {
      room: () => Math.min(this.limits.ofClient - (this.clients.get(client) ?? 0), this.limits.inAll - this.total),
      hold: (bytes) => isOpen && set(bytes),
    };
  }

  private add(client: string, bytes: number): void {
    this.total += bytes;
    const sum = (this.clients.get(client) ?? 0) + bytes;
    if (sum > 0) this.clients.set(client, sum);
    else this.clients.delete(client);
  }
}
