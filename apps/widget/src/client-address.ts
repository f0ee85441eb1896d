/** Which client a request comes from, behind a known number of proxies. */
import { isIP } from 'node:net';

import { normalizeIP } from '@fastify/rate-limit';
import type { FastifyRequest } from 'fastify';

/** The holder of an IPv6 address can choose all bits after these, so only these identify a client. */
const IPV6_PREFIX_BITS = 64;

/**
 * Fastify's `trustProxy` for `count` proxies. Each proxy appends its caller's address to X-Forwarded-For, so the client
 * is the `count`-th from the right. Anything to the left may be forged. (A function, because with a plain number
 * Fastify trusts no proxy.)
 */
export function trustProxies(count: number): false | ((address: string, hop: number) => boolean) {
  return count === 0 ? false : (_, hop) => hop < count;
}

/** The key of a client: its IPv4 address, or the /64 of its IPv6 address. */
export function clientKey({ ip, socket }: FastifyRequest): string {
  const address = withoutPort(ip);
  // A proxy may write "unknown". Then the address of the proxy itself counts.
  return normalizeIP(isIP(address) ? address : (socket.remoteAddress ?? ''), IPV6_PREFIX_BITS);
}

/**
 * Removes the port, which changes with each connection: some proxies write `203.0.113.7:51044` or
 * `[2001:db8::7]:51044`.
 */
function withoutPort(address: string): string {
  return /^(?:\[(.*)\]|(\d[\d.]*))(?::\d+)?$/.exec(address)?.slice(1).find(Boolean) ?? address;
}
