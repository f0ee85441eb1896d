/** In front of a broker: a connection that is kept alive, and on which nothing else comes any more. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type NetConnectOpts, type Socket } from 'node:net';

/** Of type 8, on channel 0, without a payload. */
const HEARTBEAT = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]);
/** Well within what two ends agree on; those of the broker itself come only when it has nothing else to say. */
const HEARTBEAT_MS = 1000;
/** A frame: its type, its channel, the size of its payload; the payload; an end octet. */
const HEAD_BYTES = 7;
const END_BYTES = 1;

export interface AmqpProxy {
  port: number;
  /** On the connections that are there, heartbeats are all that comes from now on. */
  hush(): void;
  close(): void;
}

export async function amqpProxy(target: NetConnectOpts): Promise<AmqpProxy> {
  const ends = new Set<() => void>();
  const hushed = new Set<Socket>();
  const open = new Set<Socket>();
  const beat = setInterval(() => hushed.forEach((client) => client.write(HEARTBEAT)), HEARTBEAT_MS).unref();
  const server = createServer((client) => {
    const broker = connect(target);
    const end = () => {
      client.destroy();
      broker.destroy();
    };
    ends.add(end);
    open.add(client);
    for (const socket of [client, broker]) socket.unref().on('error', () => undefined).on('close', end);
    client.pipe(broker);
    let rest = Buffer.alloc(0);
    broker.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      for (let size = frameBytes(rest); size !== undefined; size = frameBytes(rest)) {
        if (!hushed.has(client)) client.write(rest.subarray(0, size));
        rest = rest.subarray(size);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return {
    port: (server.address() as AddressInfo).port,
    hush: () => open.forEach((client) => hushed.add(client)),
    close() {
      clearInterval(beat);
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
