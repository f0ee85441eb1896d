/** Security headers, and refusals before a body is read. */
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import type { FastifyRequest } from 'fastify';

import type { App } from './app-type.js';
import { clientKey } from './client-address.js';
import { sendError } from './errors.js';

/** An answer that is opened as a page may load and run nothing, and no page may frame it. */
const POLICY = "default-src 'none';frame-ancestors 'none'";

/** For answers that Fastify does not send. The plugins set these headers on all others. */
export const ANSWER_HEADERS = Object.freeze({
  'access-control-allow-origin': '*',
  'content-security-policy': POLICY,
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
  'content-type': 'application/json; charset=utf-8',
});

/** Limited because each header costs processor time. Browsers and load balancers send about thirty. */
const MOST_HEADERS = 100;
const MINUTE_MS = 60_000;
/** Limits the memory for counters. Beyond it, the clients seen least recently are forgotten. */
const COUNTED_CLIENTS = 10_000;

/**
 * Registers what all routes share. Routes with `config: { rateLimit: {} }` take `runsPerMinute` requests of each
 * client; 0 for no limit. To be called after the CORS plugin, so that a page can read a refusal.
 */
export async function protect(app: App, { runsPerMinute }: { runsPerMinute: number }): Promise<void> {
  await app.register(helmet, SECURITY_HEADERS);
  app.addHook('onRequest', async (request, reply) => {
    const refusal = refusalOf(request);
    if (!refusal) return;
    sendError(reply, ...refusal);
    return reply;
  });
  if (runsPerMinute === 0) return;
  await app.register(rateLimit, {
    global: false,
    max: runsPerMinute,
    timeWindow: MINUTE_MS,
    // Before the body is read.
    hook: 'onRequest',
    keyGenerator: clientKey,
    cache: COUNTED_CLIENTS,
    addHeaders: {
      'x-ratelimit-limit': false,
      'x-ratelimit-remaining': false,
      'x-ratelimit-reset': false,
      'retry-after': true,
    },
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    errorResponseBuilder: (_, { max, ttl, statusCode }) => {
      const message = `More than ${max} requests came from your address within a minute. Wait ${Math.ceil(ttl / 1000)} s, then send this one again.`;
      return Object.assign(new Error(message), { statusCode });
    },
  });
}

/**
 * Helmet's headers that matter for data; the others are for pages. HSTS has no effect over plain HTTP, which this
 * server speaks. The operator of the TLS proxy decides about it.
 */
const SECURITY_HEADERS = {
  contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  // Pages of any origin read the answers, also isolated pages (COEP).
  crossOriginResourcePolicy: { policy: 'cross-origin' },
  xContentTypeOptions: true,
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  referrerPolicy: false,
  strictTransportSecurity: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xFrameOptions: false,
  xPermittedCrossDomainPolicies: false,
  xPoweredBy: false,
  xXssProtection: false,
} as const;

function refusalOf({ raw, headers }: FastifyRequest): [status: number, message: string] | undefined {
  if (raw.rawHeaders.length / 2 > MOST_HEADERS) return [431, `A request may have ${MOST_HEADERS} headers.`];
  if (raw.httpVersion === '1.1' && headers.host === undefined) return [400, 'The request has no Host header.'];
  // Some clients send the charset in this header, so it is accepted.
  if (!/^(identity|utf-?8)?$/i.test(headers['content-encoding'] ?? ''))
    return [415, 'The body must come as it is, without a Content-Encoding.'];
  return undefined;
}
