/** The socket proxy of the compose file in a test's own container, and the rules of its settings. */
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { buildImage } from './build-image.js';
import { environment } from './environment.js';
import { eventually } from './eventually.js';
import { dockerCommand, sandboxesSocket } from './images-engine.js';

const ROOT = join(import.meta.dirname, '..', '..');
const START_MS = 60_000;
/** A unique image for this test file. */
const image = `${environment('NAMESPACE')}-socket-proxy-${randomUUID()}`.toLowerCase();

export interface Asked {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface SocketProxy {
  readonly dockerHost: string;
  /** Sends a call and resolves with the status. */
  ask(call: Asked): Promise<number>;
  end(): Promise<void>;
}

export async function buildSocketProxy(): Promise<void> {
  await buildImage(image, 'docker/proxy/Dockerfile', 'docker', 'socket-proxy');
}

export async function removeSocketProxyImage(): Promise<void> {
  await dockerCommand(['rmi', image]);
}

/** Starts it in front of the sandboxes' engine, for tasks of `namespace` in containers of `runtime`. */
export async function startSocketProxy(namespace: string, runtime = ''): Promise<SocketProxy> {
  const name = `${image}-${runtime}`;
  const folder = mkdtempSync(join(tmpdir(), `code-widgets-${process.env.RUN_ID ?? 'socket'}-`));
  // Root without capabilities makes the socket there, whoever runs the test.
  chmodSync(folder, 0o777);
  const images = { SANDBOX_IMAGE: environment('SANDBOX_IMAGE'), RUN_IMAGE: environment('RUN_IMAGE') };
  const settings = { NAMESPACE: namespace, SANDBOX_RUNTIME: runtime, ...images };
  await dockerCommand([
    ...['run', '--detach', '--name', name, '--network', 'none', '--cap-drop', 'ALL', '--read-only'],
    ...['--volume', `${sandboxesSocket}:/var/run/docker.sock`, '--volume', `${folder}:/run/engine`],
    ...Object.entries(settings).flatMap(([setting, value]) => ['--env', `${setting}=${value}`]),
    image,
  ]);
  const socketPath = join(folder, 'docker.sock');
  const ask = ({ method, path, headers = {}, body }: Asked) =>
    new Promise<number>((resolve, reject) => {
      const length =
        body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const asking = request({ socketPath, method, path, headers: { ...length, ...headers } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      });
      asking.on('upgrade', (answer, socket) => {
        socket.destroy();
        resolve(answer.statusCode ?? 0);
      });
      asking.on('error', reject);
      asking.end(body);
    });
  const end = async () => {
    await dockerCommand(['rm', '--force', name]);
    rmSync(folder, { recursive: true });
  };
  const answers = () =>
    ask({ method: 'GET', path: '/_ping' }).then(
      (status) => status === 200,
      () => false,
    );
  await eventually('the socket proxy answers', answers, { limitMs: START_MS }).catch(async (cause: unknown) => {
    const { stdout, stderr } = await dockerCommand(['logs', name]);
    await end();
    throw new Error(`The socket proxy has not answered. Its log says why:\n${stdout}${stderr}`, { cause });
  });
  return { dockerHost: `unix://${socketPath}`, ask, end };
}

export interface Rule {
  method: string;
  matches: (path: string) => boolean;
  text: string;
}

/** The calls that the proxy's settings allow. */
export function allowedCalls(): Rule[] {
  const settings = readFileSync(join(ROOT, 'docker/socket-proxy/haproxy.cfg'), 'utf8');
  const allow = /^ +http-request allow if \{ method (\w+) \} \{ path(_reg)? (\S+) \}$/gm;
  const rules = [...settings.matchAll(allow)].map(([text, method = '', isPattern, path = '']) => {
    const pattern = new RegExp(path);
    return {
      method,
      matches: (asked: string) => (isPattern ? pattern.test(asked) : asked === path),
      text: text.trim(),
    };
  });
  if (rules.length !== settings.split('http-request allow').length - 1)
    throw new Error('an allowed call was not understood');
  return rules;
}
