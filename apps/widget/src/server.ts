/** Limits of the HTTP server below Fastify, and answers to input that is not HTTP. */
import { STATUS_CODES, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import type { ErrorAnswer } from '@code-widgets/protocol';
import type { FastifyBaseLogger } from 'fastify';

import { ANSWER_HEADERS } from './protection.js';

export interface ServerLimits {
  /** Time limit for the headers of a request, also on a new connection that has sent nothing. */
  headersMs: number;
  requestMs: number;
  /** From the last header of a request until the client has taken the last byte of the answer. */
  exchangeMs: number;
  /** Idle timeout of a connection. */
  stillMs: number;
  /** How often headersMs and requestMs are checked, and so their precision. */
  checkMs: number;
  /** Maximum number of open connections. Further ones are closed at once. */
  connections: number;
}

export const SERVER_LIMITS: ServerLimits = Object.freeze({
  headersMs: 10_000,
  requestMs: 30_000,
  exchangeMs: 60_000,
  stillMs: 60_000,
  checkMs: 1000,
  // Far more than a classroom opens. While idle, they need far less memory than a small container has.
  connections: 2000,
});

/** How long a refused connection stays open. Closing at once would lose the answer for a client that still sends. */
const LINGER_MS = 1000;
const DROP_LOG_INTERVAL_MS = 60_000;

export const serverOptions = ({ headersMs, requestMs, stillMs, checkMs }: ServerLimits) => ({
  requestTimeout: requestMs,
  connectionTimeout: stillMs,
  http: {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: checkMs,
    // protection.ts checks the Host header, and answers in JSON.
    requireHostHeader: false,
  },
});

/** Sets the limits for which Fastify has no option. To be called before the server listens. */
export function guardServer(server: Server, limits: ServerLimits, log: FastifyBaseLogger): void {
  // A client that has closed its sending side still gets its answer. Node's types lack this option.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.maxConnections = limits.connections;
  // 0 is no limit. Above a limit Node would only drop headers, but protection.ts refuses the request.
  server.maxHeadersCount = 0;
  server.prependListener('request', ({ socket }, response) => limitExchange(socket, response, limits.exchangeMs));
  server.on('checkExpectation', (_, response: ServerResponse) => {
    const body = errorBody(417, 'No expectation but 100-continue can be met.');
    response.writeHead(417, { ...ANSWER_HEADERS, 'content-length': Buffer.byteLength(body) }).end(body);
  });
  server.on('connect', (_, socket: Duplex) => {
    // Node has removed its own 'error' listener, so without this one a reset would end the process.
    socket.on('error', () => undefined);
    endWith(socket, 501, 'This is no proxy.');
  });
  logDrops(server, limits, log);
}

/** The unfinished answers of each connection; several if the client pipelines. */
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

/** Connections on which no further answer is sent. */
const cutOff = new WeakSet<Duplex>();

/** Answers what never became a request (not HTTP, too large, too slow), and closes the connection. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  // Data that arrives while the connection is being closed causes another error.
  if (cutOff.has(socket)) return;
  cutOff.add(socket);
  // If an answer has begun, a second one would corrupt it.
  const begun = [...(openAnswers.get(socket) ?? [])].some(({ headersSent }) => headersSent);
  if (error.code === 'ECONNRESET' || !socket.writable || begun) {
    socket.destroy();
    return;
  }
  // Stop reading: the rest of a late request must not be served.
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') socket.pause();
  endWith(socket, ...(CLIENT_ERRORS[error.code ?? ''] ?? [400, 'This is not a request in HTTP/1.1.']));
}

/** By Node's error code. Any other error means that the input is not HTTP. */
const CLIENT_ERRORS: Readonly<Record<string, [status: number, message: string]>> = {
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

/** Logs the first dropped connection, and then at most one line a minute. */
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
