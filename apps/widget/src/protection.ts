/** What stands before the routes: headers of every answer, and refusals that cost next to nothing. */
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import type { FastifyRequest } from 'fastify';

import type { App } from './app-type.js';
import { clientKey } from './client-address.js';
import { sendError } from './errors.js';

/** An answer is data: opened as a page it may load, run and be framed by nothing. */
const POLICY = "default-src 'none';frame-ancestors 'none'";

/** Of an answer that Fastify has no part in; the others have the same from the plugins. */
export const ANSWER_HEADERS = Object.freeze({
  'access-control-allow-origin': '*',
  'content-security-policy': POLICY,
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
  'content-type': 'application/json; charset=utf-8',
});

/** Browsers and balancers send about thirty; each is looked at by name. */
const MOST_HEADERS = 100;
const MINUTE_MS = 60_000;
/** Addresses whose runs are counted; beyond, those heard of longest ago are forgotten, so that memory has a bound. */
const COUNTED_CLIENTS = 10_000;

/**
 * Registers what every route shares. Routes with `config: { rateLimit: {} }` take `runsPerMinute`
 * requests of a client each, 0 for any number. To be called after the CORS plugin: a page must be
 * able to read a refusal.
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
 * Those of helmet's headers that mean something on data. The others are for pages with links,
 * frames and plug-ins, but for HSTS: what is served here is plain HTTP, where browsers ignore it;
 * who puts TLS in front knows whether it may be promised for good.
 */
const SECURITY_HEADERS = {
  contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  // Pages of any origin read the answers, those that isolate themselves as well.
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

/** What is wrong with a request before anything of its body has been read. */
function refusalOf({ raw, headers }: FastifyRequest): [status: number, message: string] | undefined {
  if (raw.rawHeaders.length / 2 > MOST_HEADERS) return [431, `A request may have ${MOST_HEADERS} headers.`];
  if (raw.httpVersion === '1.1' && headers.host === undefined) return [400, 'The request has no Host header.'];
  // Some clients send the charset here.
  if (!/^(identity|utf-?8)?$/i.test(headers['content-encoding'] ?? ''))
    return [415, 'The body must come as it is, without a Content-Encoding.'];
  return undefined;
}
