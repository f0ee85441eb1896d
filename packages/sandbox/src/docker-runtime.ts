/** Implements `Runtime` with dockerode. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import Docker from 'dockerode';
import { ENGINE_CALL_MS } from './limits.js';
import { EngineRefused, SandboxUnavailable, type EngineInfo, type Runtime } from './runtime.js';

export const DEFAULT_DOCKER_HOST = 'unix:///var/run/docker.sock';

export interface EngineAddress {
  /** Same as DOCKER_HOST: unix://, tcp://, http:// or https://. */
  dockerHost?: string;
  /** Same as DOCKER_CERT_PATH: the folder of ca.pem, cert.pem and key.pem. Turns tcp:// into TLS. */
  dockerCertPath?: string;
}

const DEFAULT_PORTS = { http: 2375, https: 2376 };

/**
 * Options of dockerode for an address. Sets each option, since docker-modem reads missing ones from the environment:
 * DOCKER_HOST would override a socket path given here.
 * @throws {RangeError} the scheme is not supported, for example ssh://.
 */
export function engineOptions({
  dockerHost = DEFAULT_DOCKER_HOST,
  dockerCertPath,
}: EngineAddress): Docker.DockerOptions {
  const unset = { host: undefined, socketPath: undefined, ca: undefined, cert: undefined, key: undefined };
  const scheme = /^[a-z]+:/.exec(dockerHost)?.[0] ?? '';
  // URL drops the default port of a scheme that it knows, so it gets an unknown one.
  const address = dockerHost.replace(scheme, 'engine:');
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !['unix:', 'tcp:', 'http:', 'https:'].includes(scheme)) {
    throw new RangeError(`not an engine's address: ${dockerHost} (unix://, tcp://, http:// or https://)`);
  }
  if (scheme === 'unix:') return { ...unset, socketPath: decodeURIComponent(url.pathname), protocol: 'http' };
  const secure = scheme === 'https:' || (scheme === 'tcp:' && dockerCertPath !== undefined);
  const protocol = secure ? 'https' : 'http';
  const port = url.port === '' ? DEFAULT_PORTS[protocol] : Number(url.port);
  const pem = (name: string) =>
    secure && dockerCertPath !== undefined ? readFileSync(join(dockerCertPath, name)) : undefined;
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

/** 404: already removed. 409: another removal is under way. */
const GONE = new Set([404, 409]);

/** @throws {RangeError} as `engineOptions`. */
export function createDockerRuntime(address: EngineAddress): Runtime {
  const docker = new Docker(engineOptions(address));
  return {
    ping: async () => void (await engineCall('answer', () => docker.ping())),
    info: async () => (await engineCall('describe itself', () => docker.info())) as EngineInfo,
    imageId: async (name) => (await engineCall('inspect an image', () => docker.getImage(name).inspect())).Id,
    async create(name, options) {
      await engineCall('create a container', (abortSignal) =>
        docker.createContainer({ ...options, name, abortSignal }),
      );
    },
    async attach(container, signal) {
      const options = { stream: true, hijack: true, stdin: true, stdout: true, stderr: true };
      const handle = docker.getContainer(container);
      const stream = await engineCall(
        'attach to a container',
        (abortSignal) => handle.attach({ ...options, abortSignal }),
        signal,
      );
      if (!(stream instanceof Duplex)) throw new SandboxUnavailable('Docker did not hand over the connection');
      return stream;
    },
    async start(container, signal) {
      const handle = docker.getContainer(container);
      await engineCall('start a container', (abortSignal) => handle.start({ abortSignal }), signal);
    },
    async inspect(container) {
      const handle = docker.getContainer(container);
      const { Image, State, ExecIDs, RestartCount } = await engineCall('inspect a container', (abortSignal) =>
        handle.inspect({ abortSignal }),
      );
      return {
        image: Image,
        isRunning: State.Running,
        isUntouched: State.Running && !State.Paused && !ExecIDs && RestartCount === 0,
        oomKilled: State.OOMKilled,
        exitCode: State.ExitCode,
        finishedMs: State.Running ? NaN : Date.parse(State.FinishedAt),
      };
    },
    async remove(container) {
      const handle = docker.getContainer(container);
      try {
        await engineCall('remove a container', (abortSignal) => handle.remove({ force: true, v: true, abortSignal }));
      } catch (error) {
        if (!(error instanceof EngineRefused && GONE.has(error.status))) throw error;
      }
    },
    async list(label) {
      const query = { all: true, filters: { label: [label] } };
      const found = await engineCall('list containers', (abortSignal) =>
        docker.listContainers({ ...query, abortSignal }),
      );
      return found.map(({ Id, Created, Labels, State }) => ({
        id: Id,
        createdMs: Created * 1000,
        labels: Labels,
        hasExited: State === 'exited',
      }));
    },
  };
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Calls the engine, with a timeout. Errors include the engine's own message. */
export async function engineCall<T>(
  what: string,
  call: (abortSignal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  // Not AbortSignal.timeout: an attached stream outlives the call. Not AbortSignal.any: its listeners, and the answer
  // that they hold, would live as long as the source signals.
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  const timer = setTimeout(abort, ENGINE_CALL_MS);
  signal?.addEventListener('abort', abort);
  if (signal?.aborted) abort();
  try {
    // Some calls of dockerode ignore the signal.
    return await Promise.race([call(controller.signal), rejectOnAbort(controller.signal)]);
  } catch (error) {
    signal?.throwIfAborted();
    const reason = controller.signal.aborted ? `no answer within ${ENGINE_CALL_MS} ms` : String(error);
    const message = `Docker could not ${what}: ${reason}`;
    const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
    if (typeof status === 'number') throw new EngineRefused(message, status, { cause: error });
    throw new SandboxUnavailable(message, { cause: error });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}
