/** The proxy in front of several widgets, as an operator's is one: a widget that is not there is passed over. */
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** Hands each request to the next of `targets()`, or to the one after it if that takes no connection. */
export async function roundRobin(targets: () => string[]): Promise<Server> {
  let turn = 0;
  const server = createServer((incoming, outgoing) => {
    const all = targets();
    const inTurn = all.map((_, i) => all[(turn + i) % all.length] as string);
    turn++;
    bodyOf(incoming).then((body) => forward(inTurn, incoming, body, outgoing), () => outgoing.destroy());
  });
  // Longer than a widget promises, whose promise is passed on: a client must not write into a connection that closes.
  server.keepAliveTimeout = 120_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function forward([target, ...others]: string[], incoming: IncomingMessage, body: Buffer, outgoing: ServerResponse): void {
  if (target === undefined) {
    outgoing.writeHead(503, { 'retry-after': '1' }).end();
    return;
  }
  const { method, headers, url } = incoming;
  const forwarded = request(`${target}${url ?? '/'}`, { ...(method && { method }), headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.pipe(outgoing);
  });
  forwarded.on('error', (error: NodeJS.ErrnoException) => {
    // A widget that closes refuses a connection, or resets one that it has not accepted or keeps alive. Nothing was answered yet.
    if (error.code === 'ECONNREFUSED') forward(others, incoming, body, outgoing);
    else if (error.code === 'ECONNRESET' && !outgoing.headersSent) forward(forwarded.reusedSocket ? [target, ...others] : others, incoming, body, outgoing);
    else outgoing.destroy();
  });
  forwarded.end(body);
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
