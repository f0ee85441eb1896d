/** A proxy between processes and the run's broker. */
import { Transform, type TransformCallback } from 'node:stream';

import { environment } from './environment.js';
import { tcpProxy, type TcpProxy } from './tcp-proxy.js';

/** A frame of type 8, on channel 0, without a payload. */
const HEARTBEAT = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]);
/** Well below the connection's heartbeat interval; the broker sends heartbeats only when it is otherwise silent. */
const HEARTBEAT_MS = 1000;
/** Type, channel and payload size of a frame, before its payload; one byte ends it. */
const FRAME_HEADER_BYTES = 7;

export interface BrokerProxy {
  readonly proxy: TcpProxy;
  /** Address of the broker through the proxy. */
  readonly AMQP_URL: string;
  /** Makes the open connections receive only heartbeats. */
  readonly hush: () => void;
}

export async function brokerProxy({ heartbeat }: { heartbeat?: string } = {}): Promise<BrokerProxy> {
  const address = new URL(environment('AMQP_URL'));
  const open = new Set<Frames>();
  const proxy = await tcpProxy({ host: address.hostname, port: Number(address.port || 5672) }, (near) => {
    const frames = new Frames();
    frames.pipe(near).on('close', () => (open.delete(frames), frames.destroy()));
    open.add(frames);
    return frames;
  });
  [address.hostname, address.port] = ['127.0.0.1', String(proxy.port)];
  if (heartbeat !== undefined) address.searchParams.set('heartbeat', heartbeat);
  return { proxy, AMQP_URL: address.href, hush: () => open.forEach((frames) => frames.hush()) };
}

/** Forwards whole frames, so that a heartbeat never splits one. */
class Frames extends Transform {
  private rest = Buffer.alloc(0);
  private beat: NodeJS.Timeout | undefined;

  hush(): void {
    this.beat ??= setInterval(() => this.push(HEARTBEAT), HEARTBEAT_MS).unref();
  }

  override _transform(bytes: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.rest = Buffer.concat([this.rest, bytes]);
    while (this.rest.length >= FRAME_HEADER_BYTES) {
      const size = FRAME_HEADER_BYTES + this.rest.readUInt32BE(3) + 1;
      if (this.rest.length < size) break;
      if (this.beat === undefined) this.push(this.rest.subarray(0, size));
      this.rest = this.rest.subarray(size);
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    clearInterval(this.beat);
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearInterval(this.beat);
    done(error);
  }
}
