/** In front of a broker: a connection that is kept alive, and on which nothing else comes any more. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type NetConnectOpts } from 'node:net';

const HEARTBEAT = 8;
/** A frame: its type, its channel, the size of its payload; the payload; an end octet. */
const HEAD_BYTES = 7;
const END_BYTES = 1;

export interface AmqpProxy {
  port: number;
  /** Of the connections that are there, the broker's heartbeats are all that is handed on any more. */
  hush(): void;
  close(): void;
}

export async function amqpProxy(target: NetConnectOpts): Promise<AmqpProxy> {
  const ends = new Set<() => void>();
  const hushed = new Set<object>();
  const open = new Set<object>();
  const server = createServer((client) => {
    const broker = connect(target);
    const end = () => {
      client.destroy();
      broker.destroy();
    };
    ends.add(end);
    open.add(broker);
    for (const socket of [client, broker]) socket.on('error', () => undefined).on('close', end);
    client.pipe(broker);
    let rest = Buffer.alloc(0);
    broker.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      for (let size = frameBytes(rest); size !== undefined; size = frameBytes(rest)) {
        if (!hushed.has(broker) || rest[0] === HEARTBEAT) client.write(rest.subarray(0, size));
        rest = rest.subarray(size);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    hush: () => open.forEach((connection) => hushed.add(connection)),
    close() {
      ends.forEach((end) => end());
      server.close();
    },
  };
}

/** Of the first frame, if it is there whole. */
function frameBytes(bytes: Buffer): number | undefined {
  if (bytes.length < HEAD_BYTES) return undefined;
  const size = HEAD_BYTES + bytes.readUInt32BE(3) + END_BYTES;
  return bytes.length < size ? undefined : size;
}
