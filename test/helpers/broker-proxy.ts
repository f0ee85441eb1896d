/** A proxy of any kind between processes and the run's broker. */
import type { NetConnectOpts } from 'node:net';

import { environment } from './environment.js';

/** Resolves with the address by which the broker is reached through it. */
export async function brokerProxy<P extends { port: number }>(
  open: (target: NetConnectOpts) => Promise<P>,
  { heartbeat }: { heartbeat?: string } = {},
): Promise<{ proxy: P; AMQP_URL: string }> {
  const address = new URL(environment('AMQP_URL'));
  const proxy = await open({ host: address.hostname, port: Number(address.port || 5672) });
  [address.hostname, address.port] = ['127.0.0.1', String(proxy.port)];
  if (heartbeat !== undefined) address.searchParams.set('heartbeat', heartbeat);
  return { proxy, AMQP_URL: address.href };
}
