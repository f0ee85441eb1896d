/**
 * The HTTP server below Fastify: how long a client may take, how many there may be at a time, and
 * what is said to a request that is no HTTP.
 */
import { STATUS_CODES, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import type { ErrorAnswer } from '@code-widgets/protocol';
import type { FastifyBaseLogger } from 'fastify';

import { ANSWER_HEADERS } from './protection.js';

/** What a client may take of the server; times in milliseconds. */
export interface ServerLimits {
  /** The headers of a request, or of a connection that has sent nothing yet. */
  headersMs: number;
  /** The whole of a request, body included. */
  requestMs: number;
  /** A request from its last header to the last byte of its answer that the client takes. */
  exchangeMs: number;
  /** A connection on which nothing moves, in either direction. */
  stillMs: number;
  /** How often the first two are looked at: they are kept to within this time. */
  checkMs: number;
  /** Open at a time, in all; the next one is closed as it comes. */
  connections: number;
}

export const SERVER_LIMITS: ServerLimits = Object.freeze({
  headersMs: 10_000,
  requestMs: 30_000,
  exchangeMs: 60_000,
  stillMs: 60_000,
  checkMs: 1000,
  // What a class room opens is far below; what these hold while idle is far below the memory of a small container.
  connections: 2000,
});

/** For a client that still sends to read why it is cut off: to close at once would take the answer back. */
const LINGER_MS = 1000;
const DROP_LOG_INTERVAL_MS = 60_000;

/** The limits as Fastify takes them. */
export const serverOptions = ({ headersMs, requestMs, stillMs, checkMs }: ServerLimits) => ({
  requestTimeout: requestMs,
  connectionTimeout: stillMs,
  http: {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: checkMs,
    // protection.ts does it, in JSON.
    requireHostHeader: false,
  },
});

/** The limits that Fastify has no option for; before the server listens. */
export function guardServer(server: Server, limits: ServerLimits, log: FastifyBaseLogger): void {
  // A client that has closed its sending side still gets its answer; then the connection is closed. Node's
  // types do not know it.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.maxConnections = limits.connections;
  // Node would leave out what is beyond a number; protection.ts refuses it.
  server.maxHeadersCount = 0;
  server.prependListener('request', ({ socket }, response) => limitExchange(socket, response, limits.exchangeMs));
  server.on('checkExpectation', (_, response: ServerResponse) => {
    const body = errorBody(417, 'No expectation but 100-continue can be met.');
    response.writeHead(417, { ...ANSWER_HEADERS, 'content-length': Buffer.byteLength(body) }).end(body);
  });
  server.on('connect', (_, socket: Duplex) => {
    // From here on Node listens to it no more: a reset would end the process.
    socket.on('error', () => undefined);
    endWith(socket, 501, 'This is no proxy.');
  });
  logDrops(server, limits, log);
}

/** By connection, the answers that have not come to their end; several where a client does not wait for one. */
const openAnswers = new WeakMap<Duplex, Set<ServerResponse>>();

function limitExchange(socket: Socket, response: ServerResponse, milliseconds: number): void {
  const open = openAnswers.get(socket) ?? new Set();
  openAnswers.set(socket, open.add(response));
  const late = setTimeout(() => socket.destroy(), milliseconds).unref();
  response.once('close', () => {
    clearTimeout(late);
    open.delete(response);
  });
}

/** Connections whose last word has been said. */
const cutOff = new WeakSet<Duplex>();

/** Answers what never became a request (no HTTP, too large, too slow), and closes the connection. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  // What still arrives on a connection that is being closed is an error again.
  if (cutOff.has(socket)) return;
  cutOff.add(socket);
  // Into the middle of an answer nothing else can be said.
  const begun = [...(openAnswers.get(socket) ?? [])].some(({ headersSent }) => headersSent);
  if (error.code === 'ECONNRESET' || !socket.writable || begun) {
    socket.destroy();
    return;
  }
  // The rest of a request that was late must not be served after all.
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') socket.pause();
  endWith(socket, ...(TOLD[error.code ?? ''] ?? [400, 'This is not a request in HTTP/1.1.']));
}

/** By Node's code; anything else is no HTTP. */
const TOLD: Readonly<Record<string, [status: number, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request took too long to arrive. Send it again.'],
  HPE_HEADER_OVERFLOW: [431, 'The headers of the request are too large.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'The chunk extensions of the request are too large.'],
};

function endWith(socket: Duplex, status: number, message: string): void {
  const body = errorBody(status, message);
  const headers = {
    ...ANSWER_HEADERS,
    date: new Date().toUTCString(),
    connection: 'close',
    'content-length': Buffer.byteLength(body),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

function errorBody(status: number, message: string): string {
  return JSON.stringify({ error: STATUS_CODES[status] ?? 'Error', message } satisfies ErrorAnswer);
}

/** A line for the first connection that is dropped, and then no more than one a minute. */
function logDrops(server: Server, { connections }: ServerLimits, log: FastifyBaseLogger): void {
  let dropped = 0;
  let quietUntil = 0;
  server.on('drop', () => {
    dropped++;
    if (Date.now() < quietUntil) return;
    log.warn({ dropped, connections }, 'too many connections are open: new ones are dropped');
    quietUntil = Date.now() + DROP_LOG_INTERVAL_MS;
    dropped = 0;
  });
}
