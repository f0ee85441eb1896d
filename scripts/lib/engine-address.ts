/**
 * Which container engine to use, chosen as Docker's own client does: DOCKER_HOST, then its context, then the
 * usual sockets.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { Problem } from './report.js';

export const USUAL_SOCKET = '/var/run/docker.sock';

/** Variables of the environment with which dockerode and Docker's client find the engine. */
export interface EngineAddress {
  readonly DOCKER_HOST: string;
  readonly DOCKER_TLS_VERIFY?: string;
  readonly DOCKER_CERT_PATH?: string;
}

/** @throws Problem for a context that does not exist or that only Docker's own client can reach */
export function engineAddress(env: NodeJS.ProcessEnv = process.env, home: string = homedir()): EngineAddress {
  if (env.DOCKER_HOST) return reachable({ DOCKER_HOST: env.DOCKER_HOST });
  const folder = env.DOCKER_CONFIG || join(home, '.docker');
  const context = env.DOCKER_CONTEXT || currentContext(folder);
  if (context !== undefined && context !== 'default') return reachable(endpointOf(folder, context));
  const sockets = [
    USUAL_SOCKET,
    join(home, '.docker', 'run', 'docker.sock'),
    join(env.XDG_RUNTIME_DIR || '/nowhere', 'docker.sock'),
  ];
  return { DOCKER_HOST: `unix://${sockets.find((path) => existsSync(path)) ?? USUAL_SOCKET}` };
}

function currentContext(folder: string): string | undefined {
  return readJson<{ currentContext?: string }>(join(folder, 'config.json'))?.currentContext;
}

/** Docker's client stores a context in a folder named by the SHA-256 of its name. */
function endpointOf(folder: string, context: string): EngineAddress {
  const id = createHash('sha256').update(context).digest('hex');
  const meta = readJson<{ Endpoints?: { docker?: { Host?: string } } }>(
    join(folder, 'contexts', 'meta', id, 'meta.json'),
  );
  const host = meta?.Endpoints?.docker?.Host;
  if (!host)
    throw new Problem(
      `There is no Docker context "${context}". List contexts with "docker context ls", or set DOCKER_HOST.`,
    );
  const certificates = join(folder, 'contexts', 'tls', id, 'docker');
  return {
    DOCKER_HOST: host,
    ...(existsSync(certificates) && { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: certificates }),
  };
}

function reachable(address: EngineAddress): EngineAddress {
  if (!/^(unix|tcp|http|https):\/\//.test(address.DOCKER_HOST)) {
    throw new Problem(
      `${address.DOCKER_HOST} cannot be used: set DOCKER_HOST to an address that begins with unix:// or tcp://.`,
    );
  }
  return address;
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return undefined; // The file does not exist.
  }
}
