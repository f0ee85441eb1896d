/** A TCP proxy that simulates network faults in front of a broker or an engine. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type NetConnectOpts, type Socket } from 'node:net';
import type { Writable } from 'node:stream';

export interface TcpProxy {
  readonly port: number;
  /** Breaks all connections at once. */
  cut(): void;
  /** Closes the far end of each connection and leaves the near end open. */
  halfOpen(): void;
  /** Accepts everything and forwards nothing, including on new connections, until `resume`. */
  silence(): void;
  resume(): void;
  /** Whether new connections are accepted. */
  open: boolean;
  close(): void;
}

interface Link {
  readonly near: Socket;
  readonly far: Socket;
  /** Receives the bytes from `far`. */
  back: Writable;
}

/**
 * Connects to the target, or to the next of several targets (round robin). Skips targets that refuse a
 * connection.
 *
 * @param intercept called for each connection before bytes flow; the target's bytes are written to its result
 */
export async function tcpProxy(
  target: NetConnectOpts | (() => NetConnectOpts[]),
  intercept = (near: Socket): Writable => near,
): Promise<TcpProxy> {
  const links = new Set<Link>();
  let [silent, turn] = [false, 0];
  const dial = (near: Socket, [first, ...others]: NetConnectOpts[]) => {
    if (first === undefined) return void near.destroy();
    const far = connect(first).setNoDelay().unref();
    const link: Link = { near, far, back: near };
    links.add(link);
    const leave = () => links.delete(link);
    const failed = () => {
      leave();
      dial(near, others);
    };
    near.on('close', () => {
      leave();
      if (far.connecting) far.destroy();
    });
    far.once('error', failed).once('connect', () => {
      far.off('error', failed).on('close', leave);
      link.back = intercept(near);
      joinSockets(near, far, link.back);
      if (silent) part(link);
    });
  };
  const server = createServer({ noDelay: true }, (near) => {
    if (!proxy.open) return void near.destroy();
    near.unref().on('error', () => undefined);
    dial(near, typeof target === 'function' ? inTurn(target(), turn++) : [target]);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();

  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    open: true,
    cut() {
      for (const { near, far } of links) for (const socket of [near, far]) socket.destroy();
    },
    halfOpen() {
      for (const link of links) {
        part(link);
        link.far.removeAllListeners('close').destroy();
      }
    },
    silence() {
      silent = true;
      links.forEach(part);
    },
    resume() {
      silent = false;
      for (const link of links) if (!link.far.destroyed && !link.far.connecting) join(link);
    },
    close() {
      proxy.cut();
      server.close();
    },
  };
  return proxy;
}

function join({ near, far, back }: Link): void {
  near.pipe(far);
  far.pipe(back);
}

function part({ near, far, back }: Link): void {
  near.unpipe(far).pause();
  far.unpipe(back).pause();
}

/** Forwards in both directions until either socket closes, then closes the other. */
export function joinSockets(near: Socket, far: Socket, back: Writable = near): void {
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    // Unref: a failed test must not keep the run alive. Close: pipe() stops reading a socket whose destination
    // breaks, and would never notice its end.
    one
      .unref()
      .on('error', () => undefined)
      .on('close', () => other.destroySoon());
  }
  join({ near, far, back });
}

/** All elements in order, starting at index `turn`. */
export const inTurn = <T>(all: readonly T[], turn: number): T[] => all.map((_, i) => all[(turn + i) % all.length] as T);
