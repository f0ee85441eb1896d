/** A TCP proxy that fails as networks do: what is between a process and its broker, or its engine. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type NetConnectOpts, type Socket } from 'node:net';

export interface TcpProxy {
  port: number;
  /** Breaks all connections at once. */
  cut: () => void;
  /** The far ends are gone, and nobody tells the near ones. */
  halfOpen: () => void;
  /** Takes everything and hands on nothing, new connections included, until `resume`. */
  silence: () => void;
  resume: () => void;
  /** Whether new connections are taken. */
  open: boolean;
  close: () => void;
}

interface Link {
  incoming: Socket;
  outgoing: Socket;
}

export async function tcpProxy(target: NetConnectOpts): Promise<TcpProxy> {
  const links = new Set<Link>();
  let silent = false;
  const join = ({ incoming, outgoing }: Link) => void incoming.pipe(outgoing).pipe(incoming);
  const part = ({ incoming, outgoing }: Link) => {
    for (const [one, other] of [[incoming, outgoing], [outgoing, incoming]] as const) one.unpipe(other).pause();
  };
  const server = createServer((incoming) => {
    if (!proxy.open) {
      incoming.destroy();
      return;
    }
    const link = { incoming, outgoing: connect(target) };
    links.add(link);
    const end = () => {
      links.delete(link);
      incoming.destroy();
      link.outgoing.destroy();
    };
    // A test that has failed and closed nothing must not keep the run from ending.
    for (const socket of [incoming, link.outgoing]) socket.unref().on('error', () => undefined).on('close', end);
    if (!silent) join(link);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();

  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    open: true,
    cut() {
      for (const { incoming, outgoing } of links) for (const socket of [incoming, outgoing]) socket.destroy();
    },
    halfOpen() {
      for (const link of links) {
        part(link);
        link.outgoing.removeAllListeners('close').destroy();
      }
    },
    silence() {
      silent = true;
      links.forEach(part);
    },
    resume() {
      silent = false;
      for (const link of links) if (!link.outgoing.destroyed) join(link);
    },
    close() {
      proxy.cut();
      server.close();
    },
  };
  return proxy;
}
