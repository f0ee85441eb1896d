/** A TCP proxy that can cut, or refuse, what goes through it: a network between a process and its broker. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface TcpProxy {
  port: number;
  /** Breaks all connections at once. */
  cut: () => void;
  /** Whether new connections are taken. */
  open: boolean;
  close: () => void;
}

export async function tcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((incoming) => {
    if (!proxy.open) {
      incoming.destroy();
      return;
    }
    const outgoing = connect(target);
    for (const [one, other] of [[incoming, outgoing], [outgoing, incoming]] as const) {
      sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => sockets.forEach((socket) => socket.destroy());
  const proxy: TcpProxy = {
    port: (server.address() as AddressInfo).port,
    cut,
    open: true,
    close() {
      cut();
      server.close();
    },
  };
  return proxy;
}
