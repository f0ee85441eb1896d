/** A proxy on a Unix socket before an engine, which writes down each call that goes through it. */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type RequestOptions } from 'node:http';
import type { Socket } from 'node:net';

import { joinSockets } from './join-sockets.js';

export interface Call {
  method: string;
  path: string;
  /** What an Upgrade header asks for. */
  upgrade: string | undefined;
  query: URLSearchParams;
  body: string;
}

export interface RecordingProxy {
  readonly dockerHost: string;
  readonly calls: Call[];
  close(): void;
}

/** @param engine its address, without TLS */
export async function recordingProxy(engine: Pick<RequestOptions, 'socketPath' | 'host' | 'port'>, socketPath: string): Promise<RecordingProxy> {
  const calls: Call[] = [];
  const note = ({ method = '', url = '', headers }: IncomingMessage, body = '') => {
    const { pathname, searchParams } = new URL(url, 'http://engine');
    calls.push({ method, path: pathname, upgrade: headers.upgrade, query: searchParams, body });
  };
  const forward = ({ method, url, headers }: IncomingMessage) => request({ ...engine, method, path: url, headers } as RequestOptions);

  const server = createServer((incoming, outgoing) => {
    void incoming.toArray().then((chunks) => {
      const body = Buffer.concat(chunks as Buffer[]);
      note(incoming, body.toString());
      const forwarded = forward(incoming);
      forwarded.on('response', (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(outgoing);
      });
      forwarded.on('error', () => outgoing.destroy());
      forwarded.end(body);
    });
  });
  server.on('upgrade', (incoming: IncomingMessage, client: Socket) => {
    note(incoming);
    const forwarded = forward(incoming);
    forwarded.on('upgrade', ({ rawHeaders }, upstream: Socket, head) => {
      const lines = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${rawHeaders[i + 1]}\r\n`] : []));
      client.write(`HTTP/1.1 101 UPGRADED\r\n${lines.join('')}\r\n`);
      client.write(head);
      joinSockets(client, upstream);
    });
    forwarded.on('response', () => client.destroy());
    forwarded.on('error', () => client.destroy());
    forwarded.end();
  });
  server.listen(socketPath);
  await once(server, 'listening');
  return {
    dockerHost: `unix://${socketPath}`,
    calls,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
