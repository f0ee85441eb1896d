/** An HTTP proxy with upgrades, in front of several widgets or an engine. */
import { once } from 'node:events';
import {
  createServer,
  request,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestOptions,
  type ServerResponse,
} from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';

import { inTurn, joinSockets } from './tcp-proxy.js';

/** An address without TLS. */
export type HttpTarget = Pick<RequestOptions, 'socketPath' | 'host' | 'port'>;

export interface Call {
  method: string;
  path: string;
  /** The value of the Upgrade header. */
  upgrade: string | undefined;
  query: URLSearchParams;
  body: string;
}

export interface HttpProxyOptions {
  /** Where to listen; by default a free TCP port of 127.0.0.1. */
  socketPath?: string;
  /** Returns a replacement for the body, or undefined to keep it. */
  rewrite?: (path: string, body: Buffer) => string | undefined;
  /** Called with each request before it is forwarded. */
  onCall?: (call: Call) => void;
}

export interface HttpProxy {
  /** http://... or unix://..., as in DOCKER_HOST. */
  readonly address: string;
  close(): void;
}

/** Forwards each request to the next of `targets()` (round robin), skipping targets that accept no connection. */
export async function httpProxy(
  targets: () => HttpTarget[],
  { socketPath, rewrite, onCall }: HttpProxyOptions = {},
): Promise<HttpProxy> {
  let turn = 0;
  const server = createServer((incoming, outgoing) => {
    const candidates = inTurn(targets(), turn++);
    const send = (body: Buffer) => {
      onCall?.(callOf(incoming, body.toString()));
      const rewritten = rewrite?.(incoming.url ?? '/', body);
      forward(candidates, incoming, rewritten === undefined ? body : Buffer.from(rewritten), outgoing);
    };
    buffer(incoming).then(send, () => outgoing.destroy());
  });
  server.on('upgrade', (incoming: IncomingMessage, client: Socket, first: Buffer) => {
    onCall?.(callOf(incoming));
    const { method, url, rawHeaders } = incoming;
    const [target] = targets();
    if (target === undefined) return void client.destroy();
    const socket = target.socketPath ? connect(target.socketPath) : connect(Number(target.port), String(target.host));
    const lines = rawHeaders.flatMap((name, i, all) => (i % 2 === 0 ? [`${name}: ${all[i + 1] ?? ''}`] : []));
    // In one write: the engine drops data that arrives with the request, such as the end of its empty body.
    socket.write(Buffer.concat([Buffer.from(`${method} ${url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`), first]));
    joinSockets(client, socket);
  });
  // Longer than a widget's, whose Keep-Alive header is forwarded: a client must not write to a closing connection.
  server.keepAliveTimeout = 120_000;
  await once(socketPath === undefined ? server.listen(0, '127.0.0.1') : server.listen(socketPath), 'listening');
  // A failed test must not keep the run alive.
  server.unref();
  return {
    address:
      socketPath === undefined ? `http://127.0.0.1:${(server.address() as AddressInfo).port}` : `unix://${socketPath}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function forward(
  [target, ...others]: HttpTarget[],
  incoming: IncomingMessage,
  body: Buffer,
  outgoing: ServerResponse,
): void {
  if (target === undefined) {
    outgoing.writeHead(503, { 'retry-after': '1' }).end();
    return;
  }
  const { socketPath, host, port } = target;
  const headers: OutgoingHttpHeaders = { ...incoming.headers };
  if (headers['content-length'] !== undefined) headers['content-length'] = body.length;
  const options = { socketPath, host, port, method: incoming.method, path: incoming.url, headers } as RequestOptions;
  const forwarded = request(options, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.pipe(outgoing);
  });
  forwarded.on('error', (error: NodeJS.ErrnoException) => {
    // A closing server refuses connections, or resets those without a response. Nothing was answered yet.
    if (error.code === 'ECONNREFUSED') forward(others, incoming, body, outgoing);
    else if (error.code === 'ECONNRESET' && !outgoing.headersSent)
      forward(forwarded.reusedSocket ? [target, ...others] : others, incoming, body, outgoing);
    else outgoing.destroy();
  });
  forwarded.end(body);
}

function callOf({ method = '', url = '', headers }: IncomingMessage, body = ''): Call {
  const { pathname: path, searchParams: query } = new URL(url, 'http://proxy');
  return { method, path, upgrade: headers.upgrade, query, body };
}
