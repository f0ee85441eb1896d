/** Limits the memory for bodies that arrive and for answers that clients have not read. */
import type { ServerResponse } from 'node:http';

const MIB = 1024 * 1024;

export interface ByteLimits {
  readonly ofClient: number;
  readonly inAll: number;
}

/** Both limits are part of the memory budget in docs/operations.md. */
export const BODY_BYTES: ByteLimits = Object.freeze({ ofClient: 12 * MIB, inAll: 32 * MIB });
export const UNREAD_BYTES: ByteLimits = Object.freeze({ ofClient: 8 * MIB, inAll: 32 * MIB });

/** The limit of the client or of all clients is reached. Retry in a moment. */
export class TooManyBytes extends Error {
  override name = 'TooManyBytes';
}

/** Bytes of one request, until its response is closed. */
export interface Lease {
  /** Bytes that still fit. Can be negative, because hold() does not enforce the limits. */
  room(): number;
  /** Sets how many bytes this request holds. The value is not added to an earlier one. */
  hold(bytes: number): void;
}

export class BytesUnderWay {
  private readonly clients = new Map<string, number>();
  private total = 0;

  constructor(private readonly limits: ByteLimits) {}

  lease(client: string, response: ServerResponse): Lease {
    let leased = 0;
    let isOpen = true;
    const set = (bytes: number) => {
      this.add(client, bytes - leased);
      leased = bytes;
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
