/** The way to the engine: where it is, and how long it may take to answer. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Docker from 'dockerode';
import { ENGINE_CALL_MS } from './limits.js';

export const DEFAULT_DOCKER_HOST = 'unix:///var/run/docker.sock';

/** The service's trouble, not the user's: worth another try, here later or by another worker. */
export class SandboxUnavailable extends Error {
  override readonly name = 'SandboxUnavailable';
}

/** The engine answers, but this container has ended or spoken as none of ours does: perhaps what it ran has seen to that. */
export class ContainerLost extends SandboxUnavailable {}

export interface EngineAddress {
  /** As DOCKER_HOST: unix://, tcp://, http:// or https://. */
  dockerHost?: string;
  /** As DOCKER_CERT_PATH: the folder of ca.pem, cert.pem and key.pem; makes tcp:// TLS. */
  dockerCertPath?: string;
}

const DEFAULT_PORTS = { http: 2375, https: 2376 };

/**
 * dockerode's options for an address. Every one is given, since docker-modem takes those that are
 * not from the environment (a DOCKER_HOST there would win over a socket path given here).
 * @throws {RangeError} an address of another kind, ssh:// say.
 */
export function engineOptions({ dockerHost = DEFAULT_DOCKER_HOST, dockerCertPath }: EngineAddress): Docker.DockerOptions {
  const unset = { host: undefined, socketPath: undefined, ca: undefined, cert: undefined, key: undefined };
  const scheme = /^[a-z]+:/.exec(dockerHost)?.[0] ?? '';
  // Read as a scheme that URL does not know: of the others it drops the usual port.
  const address = dockerHost.replace(scheme, 'engine:');
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !['unix:', 'tcp:', 'http:', 'https:'].includes(scheme)) {
    throw new RangeError(`not an engine's address: ${dockerHost} (unix://, tcp://, http:// or https://)`);
  }
  if (scheme === 'unix:') return { ...unset, socketPath: decodeURIComponent(url.pathname), protocol: 'http' };
  const secure = scheme === 'https:' || (scheme === 'tcp:' && dockerCertPath !== undefined);
  const protocol = secure ? 'https' : 'http';
  const port = url.port === '' ? DEFAULT_PORTS[protocol] : Number(url.port);
  const pem = (name: string) => (secure && dockerCertPath !== undefined ? readFileSync(join(dockerCertPath, name)) : undefined);
  return {
    ...unset,
    protocol,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    ca: pem('ca.pem'),
    cert: pem('cert.pem'),
    key: pem('key.pem'),
  };
}

export function createEngine(address: EngineAddress): Docker {
  return new Docker(engineOptions(address));
}

/** The HTTP status of the engine's refusal, if that is what the error is. */
export function httpStatus(error: unknown): number | undefined {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  return typeof status === 'number' ? status : undefined;
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const give = () => reject(signal.reason as Error);
    if (signal.aborted) give();
    else signal.addEventListener('abort', give, { once: true });
  });
}

/**
 * One call of the engine, which is given up after ENGINE_CALL_MS, or when the caller's signal says so.
 * @throws {SandboxUnavailable} with the engine's own words, for whatever reason the call failed;
 *   the signal's reason, where that was it.
 */
export async function engineCall<T>(
  what: string,
  call: (abortSignal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  // Not AbortSignal.timeout: a stream must outlive the call that attached it. Nor AbortSignal.any:
  // what listens to such a signal is kept, with all that the call has answered, as long as the others live.
  const controller = new AbortController();
  const giveUp = () => controller.abort(signal?.reason);
  const timer = setTimeout(giveUp, ENGINE_CALL_MS);
  signal?.addEventListener('abort', giveUp);
  if (signal?.aborted) giveUp();
  try {
    // Raced too, since not every call of dockerode's takes a signal.
    return await Promise.race([call(controller.signal), rejectOnAbort(controller.signal)]);
  } catch (error) {
    signal?.throwIfAborted();
    const reason = controller.signal.aborted ? `no answer within ${ENGINE_CALL_MS} ms` : String(error);
    throw new SandboxUnavailable(`Docker could not ${what}: ${reason}`, { cause: error });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  }
}
