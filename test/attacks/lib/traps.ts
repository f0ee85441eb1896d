/** Places on this machine that no program may reach; each records its visitors. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';

export interface Traps {
  /** Loopback, and the address of Docker's bridge if there is one. */
  readonly addresses: readonly string[];
  /** A TCP and UDP port on each address. */
  readonly port: number;
  /** A Unix socket's abstract name (without its leading NUL) and another one's path. */
  readonly abstractName: string;
  readonly socketPath: string;
  /** Visits so far: the place and the first bytes received. */
  readonly visits: readonly string[];
  close(): void;
}

export async function setTraps(folder: string, name: string): Promise<Traps> {
  const visits: string[] = [];
  const bridge = networkInterfaces().docker0?.find(({ family }) => family === 'IPv4')?.address;
  const addresses = ['127.0.0.1', ...(bridge === undefined ? [] : [bridge])];
  const servers: Server[] = [];
  const listen = async (where: string, place: { host: string; port: number } | { path: string }) => {
    const server = createServer((socket) => {
      visits.push(where);
      socket.on('error', () => undefined).end('trapped\n');
    }).listen(place);
    await once(server, 'listening');
    servers.push(server);
    return server;
  };

  const first = await listen(`tcp ${addresses[0]}`, { host: addresses[0] as string, port: 0 });
  const { port } = first.address() as AddressInfo;
  for (const host of addresses.slice(1)) await listen(`tcp ${host}`, { host, port });
  const [abstractName, socketPath] = [`code-widgets-${name}`, join(folder, 'socket')];
  await listen('abstract socket', { path: `\0${abstractName}` });
  await listen('socket file', { path: socketPath });
  const udp: UdpSocket[] = [];
  for (const host of addresses) {
    const socket = createSocket('udp4', (message) => visits.push(`udp ${host}: ${message.toString('latin1')}`)).bind(
      port,
      host,
    );
    await once(socket, 'listening');
    udp.push(socket);
  }

  return {
    addresses,
    port,
    abstractName,
    socketPath,
    visits,
    close() {
      for (const each of [...servers, ...udp]) each.close();
    },
  };
}
