/** A proxy in front of the broker that counts connections and their open channels. */
import type { Socket } from 'node:net';

import { tcpProxy } from '../../helpers/tcp-proxy.js';

const PROTOCOL_HEADER_BYTES = 8;
/** Type, channel and size of a frame, before its payload; one byte ends it. */
const FRAME_HEADER_BYTES = 7;
const METHOD_FRAME = 1;
/** AMQP's channel class, and its methods to open, close and confirm the close of a channel. */
const CHANNEL_CLASS = 20;
const [OPEN, CLOSE, CLOSE_OK] = [10, 40, 41];

export interface AmqpWatch {
  /** The broker's address through this proxy. */
  readonly url: string;
  open(): { connections: number; channels: number };
  /** The maximum number of concurrent channels. */
  most(): number;
  close(): void;
}

export async function watchAmqp(amqpUrl: string): Promise<AmqpWatch> {
  const channelsOf = new Map<Socket, Set<number>>();
  let most = 0;
  const url = new URL(amqpUrl);
  const count = () => [...channelsOf.values()].reduce((sum, channels) => sum + channels.size, 0);
  const proxy = await tcpProxy({ host: url.hostname, port: Number(url.port || 5672) }, (client) => {
    const channels = new Set<number>();
    channelsOf.set(client, channels);
    const read = frameReader((channel, method) => {
      if (method === OPEN) channels.add(channel);
      else if (method === CLOSE || method === CLOSE_OK) channels.delete(channel);
      most = Math.max(most, count());
    });
    return client.on('data', read).on('close', () => channelsOf.delete(client));
  });
  [url.hostname, url.port] = ['127.0.0.1', String(proxy.port)];
  return {
    url: url.href,
    open: () => ({ connections: channelsOf.size, channels: count() }),
    most: () => most,
    close: () => proxy.close(),
  };
}

/** Parses a client's bytes in chunks of any size, and reports each method on a channel. */
function frameReader(onMethod: (channel: number, method: number) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let skip = PROTOCOL_HEADER_BYTES;
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const skipped = Math.min(skip, rest.length);
      skip -= skipped;
      rest = rest.subarray(skipped);
      if (skip > 0 || rest.length < FRAME_HEADER_BYTES) return;
      const size = rest.readUInt32BE(3);
      if (rest[0] === METHOD_FRAME && size >= 4) {
        if (rest.length < FRAME_HEADER_BYTES + 4) return;
        if (rest.readUInt16BE(7) === CHANNEL_CLASS) onMethod(rest.readUInt16BE(1), rest.readUInt16BE(9));
      }
      skip = FRAME_HEADER_BYTES + size + 1;
    }
  };
}
