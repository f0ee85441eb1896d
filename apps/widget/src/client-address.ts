/** Whom a request comes from, behind a known number of proxies. */
import { isIP } from 'node:net';

import { normalizeIP } from '@fastify/rate-limit';
import type { FastifyRequest } from 'fastify';

/** The part of an IPv6 address that its holder cannot choose. */
const IPV6_PREFIX_BITS = 64;

/**
 * Fastify's `trustProxy` for `count` proxies, each of which adds the address that it was called
 * from to the end of X-Forwarded-For: the client is the `count`-th from the right, whatever it has
 * written to the left of that. (A plain number is no such thing to Fastify: it then trusts nobody.)
 */
export function trustProxies(count: number): false | ((address: string, hop: number) => boolean) {
  return count === 0 ? false : (_, hop) => hop < count;
}

/** What a client is counted by: its IPv4 address, or the /64 of its IPv6 address. */
export function clientKey({ ip, socket }: FastifyRequest): string {
  const address = withoutPort(ip);
  // What is no address (a proxy may write "unknown") counts for the one who sent it.
  return normalizeIP(isIP(address) ? address : (socket.remoteAddress ?? ''), IPV6_PREFIX_BITS);
}

/** Some proxies write `203.0.113.7:51044` or `[2001:db8::7]:51044`: another one with each connection. */
function withoutPort(address: string): string {
  return /^(?:\[(.*)\]|(\d[\d.]*))(?::\d+)?$/.exec(address)?.slice(1).find(Boolean) ?? address;
}
