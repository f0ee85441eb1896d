/** An engine that does not do all that it is asked for: what a worker must notice. */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type RequestOptions } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

import type { ContainerCreateOptions } from 'dockerode';

import { engineOptions } from '../../packages/sandbox/src/engine.js';
import { joinSockets } from './join-sockets.js';

export interface EngineProxy {
  /** As DOCKER_HOST. */
  host: string;
  close(): void;
}

/** In front of the engine at `dockerHost`; each container is made as `change` says. */
export async function engineProxy(
  dockerHost: string | undefined,
  change: (options: ContainerCreateOptions) => ContainerCreateOptions,
): Promise<EngineProxy> {
  const { socketPath, host, port } = engineOptions(dockerHost ? { dockerHost } : {});
  const engine = socketPath === undefined ? { host: String(host), port: Number(port) } : { socketPath: String(socketPath) };
  const forward = ({ method, url, headers }: IncomingMessage): RequestOptions => ({
    ...engine,
    ...(method !== undefined && { method }),
    ...(url !== undefined && { path: url }),
    headers,
  });

  const server = createServer((incoming, outgoing) => {
    void bodyOf(incoming).then((body) => {
      const creates = /\/containers\/create\b/.test(incoming.url ?? '');
      const sent = creates ? Buffer.from(JSON.stringify(change(JSON.parse(body.toString()) as ContainerCreateOptions))) : body;
      const options = forward(incoming);
      const headers = { ...incoming.headers, 'content-length': String(sent.length) };
      request({ ...options, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(outgoing);
      })
        .on('error', () => outgoing.destroy())
        .end(sent);
    });
  });
  // The attachment to a container: its request as it came, and from then on bytes in both directions.
  server.on('upgrade', ({ method, url, rawHeaders }: IncomingMessage, client: Socket, first: Buffer) => {
    const lines = rawHeaders.flatMap((name, i, all) => (i % 2 === 0 ? [`${name}: ${all[i + 1] ?? ''}`] : []));
    const socket = 'socketPath' in engine ? connect(engine.socketPath) : connect(engine.port, engine.host);
    // In one piece: the engine drops what comes with the request, as the end of its empty body does.
    socket.write(Buffer.concat([Buffer.from(`${method} ${url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`), first]));
    joinSockets(client, socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    host: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
