/** What keeps one client from taking the service from the others, before any work is done for it. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import type { FastifyContextConfig } from 'fastify';

import type { App } from './app-type.js';
import { TooManyRuns } from './errors.js';

/** How long a client may take over its part of a request, in ms. */
export interface Patience {
  /** Until its headers are here. */
  headersMs: number;
  /** Until all of it is here. */
  requestMs: number;
  /** Without a byte in either direction: what a client does not read is held in memory. */
  idleMs: number;
  /** How often Node looks who is late. */
  checkMs: number;
}

export const PATIENCE: Patience = { headersMs: 10_000, requestMs: 30_000, idleMs: 60_000, checkMs: 1_000 };

/** Each may hold a whole body in memory. */
const MOST_CONNECTIONS = 2_000;
const MINUTE_MS = 60_000;
/** Addresses that are remembered; the one that was quiet for longest is forgotten first. */
const REMEMBERED_CLIENTS = 10_000;

/** Options of the server that cut off who trickles, stalls or does not speak HTTP. */
export function serverOptions({ headersMs, requestMs, idleMs, checkMs }: Patience) {
  return {
    requestTimeout: requestMs,
    connectionTimeout: idleMs,
    // Fastify has no options of its own for these two; without the second, Node looks every 30 s.
    http: { headersTimeout: headersMs, connectionsCheckingInterval: checkMs },
    clientErrorHandler: answerClientError,
  };
}

export interface ProtectionOptions {
  /** From one client, on each of the routes that are limited; 0: no limit. */
  runsPerMinute: number;
}

/** Registers headers for browsers and the limits of connections and runs. To come after the CORS headers, before the routes. */
export async function protect(app: App, { runsPerMinute }: ProtectionOptions): Promise<void> {
  app.server.maxConnections = MOST_CONNECTIONS;
  await app.register(helmet, {
    // Nothing that is answered here is a page.
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    // Pages of every origin read the answers.
    crossOriginResourcePolicy: { policy: 'cross-origin' },
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    xFrameOptions: { action: 'deny' },
    // For whoever speaks TLS in front of this server to say.
    strictTransportSecurity: false,
  });
  await app.register(rateLimit, {
    global: false,
    max: runsPerMinute,
    timeWindow: MINUTE_MS,
    cache: REMEMBERED_CLIENTS,
    // Of an IPv6 address its /64, which one customer has whole.
    ipv6Subnet: 64,
    errorResponseBuilder: (_, { ttl }) => new TooManyRuns(Math.ceil(ttl / 1000)),
  });
}

/** The `config` of a route whose requests are counted by client: before their body is read. */
export function limitedRuns(runsPerMinute: number): FastifyContextConfig {
  return runsPerMinute > 0 ? { rateLimit: {} } : {};
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [status: number, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request took too long to come.'],
  HPE_HEADER_OVERFLOW: [431, 'The headers of the request are too large.'],
};
const NOT_HTTP = [400, 'This is no HTTP request.'] as const;

/** Answers what never became a request, as every error is answered; then the connection ends. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const [status, message] = CLIENT_ERRORS[error.code ?? ''] ?? NOT_HTTP;
  const reason = STATUS_CODES[status];
  const body = JSON.stringify({ error: reason, message });
  const headers = [
    `HTTP/1.1 ${status} ${reason}`,
    'Access-Control-Allow-Origin: *',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  if (socket.writable) socket.end(`${headers.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
  else socket.destroy();
}
