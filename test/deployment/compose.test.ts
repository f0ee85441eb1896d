import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { findBaseImage } from '../../scripts/lib/base-image.js';
import { post } from '../helpers/client.js';
import { environment } from '../helpers/environment.js';
import { eventually } from '../helpers/eventually.js';
import { differences } from '../helpers/golden-differences.js';
import { loadFixtures, play } from '../helpers/golden.js';
import { componentsOf, givesRights, isCommand, pathsOf } from '../helpers/image-contents.js';
import { dockerCommand, imagesEngine as docker, imagesEnv, sandboxesSocket } from '../helpers/images-engine.js';

const ROOT = join(import.meta.dirname, '..', '..');
/** Time to build the images on two cores. */
const UP_MS = 10 * 60_000;
const run = promisify(execFile);

/** `docker compose` if the plugin is installed, otherwise Debian's docker-compose. */
const [command, ...words] =
  spawnSync('docker', ['compose', 'version']).status === 0 ? ['docker', 'compose'] : ['docker-compose'];

const project = environment('NAMESPACE').toLowerCase();
let base: string;
let folder: string;

async function compose(...args: string[]): Promise<string> {
  const { stdout } = await run(command, [...words, '--env-file', join(folder, 'env'), '-p', project, ...args], {
    cwd: ROOT,
    env: imagesEnv,
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}

/** All responses of the proxy on one connection: to the first bytes, to later ones, and to the end of both. */
async function exchange(first: string, later: string): Promise<string> {
  const socket = connect({ port: Number(new URL(base).port), host: '127.0.0.1', allowHalfOpen: true });
  const answer = text(socket);
  socket.write(first);
  if (later !== '') await sleep(500);
  socket.end(later);
  return answer;
}

const containersOf = async (service: string) => (await compose('ps', '-q', service)).split('\n').filter(Boolean);

beforeAll(async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  base = `http://127.0.0.1:${port}`;
  folder = mkdtempSync(join(tmpdir(), `code-widgets-${process.env.RUN_ID ?? 'compose'}-`));
  const settings = {
    // The widget's password is random; the worker's comes from an operator's file.
    WORKER_BROKER_PASSWORD_FILE: join(folder, 'worker-password'),
    BASE_IMAGE: (await findBaseImage(docker)) ?? '',
    PORT: String(port),
    IMAGES: project,
    NAMESPACE: project,
    SANDBOX_IMAGE: environment('SANDBOX_IMAGE'),
    RUN_IMAGE: environment('RUN_IMAGE'),
    DOCKER_SOCKET: sandboxesSocket,
  };
  writeFileSync(join(folder, 'worker-password'), 'of a/test, too\n');
  writeFileSync(
    join(folder, 'env'),
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  await compose('up', '-d', '--build', '--scale', 'worker=3', '--scale', 'widget=2');
  // The proxy checks the widgets' health a moment after its start. Until then the port accepts connections and
  // closes them, and Node's fetch can hang on such a request.
  const ask = () =>
    fetch(`${base}/`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(2000) }).then(
      ({ ok }) => ok,
      () => false,
    );
  await eventually('the service answers', ask, { limitMs: 60_000, everyMs: 200 }).catch(async (cause: unknown) => {
    throw new Error(`The service has not answered. Its log says why:\n${await compose('logs', '--tail', '20')}`, {
      cause,
    });
  });
}, UP_MS);

afterAll(async () => {
  await compose('down', '--volumes', '--rmi', 'all', '--remove-orphans', '--timeout', '20');
  rmSync(folder, { recursive: true });
}, UP_MS);

describe('docker compose, with three workers and two widgets', () => {
  it('has only healthy containers', async () => {
    expect(await containersOf('widget')).toHaveLength(2);
    expect(await containersOf('worker')).toHaveLength(3);
    const names = ['proxy', 'widget', 'worker', 'broker', 'socket-proxy'];
    const healthy = async () => {
      const ids = (await Promise.all(names.map(containersOf))).flat();
      const { stdout } = await dockerCommand(['inspect', '--format', '{{.State.Health.Status}}', ...ids]);
      return stdout.trim().split('\n');
    };
    const allAre = async () => (await healthy()).every((status) => status === 'healthy');
    // After the timeout, the expectation shows the unhealthy ones.
    await eventually('all containers are healthy', allAre, { limitMs: 40_000, everyMs: 500 }).catch(() => undefined);
    expect(await healthy()).toEqual(Array(8).fill('healthy'));
  }, 60_000);

  it("mounts Docker's socket only into the socket proxy", async () => {
    for (const name of ['proxy', 'widget', 'worker', 'broker', 'socket-proxy']) {
      const { stdout } = await dockerCommand([
        'inspect',
        '--format',
        '{{json .Mounts}}',
        ...(await containersOf(name)),
      ]);
      expect([name, stdout.includes('docker.sock')]).toEqual([name, name === 'socket-proxy']);
    }
  }, 30_000);

  it("gives each app only its own user's broker password", async () => {
    for (const name of ['widget', 'worker']) {
      const { stdout } = await dockerCommand([
        'inspect',
        '--format',
        '{{json .Mounts}}{{json .Config.Env}}',
        ...(await containersOf(name)),
      ]);
      expect(stdout).toContain(`${name}-password`);
      expect(stdout).not.toContain(`${name === 'widget' ? 'worker' : 'widget'}-password`);
      expect(stdout).not.toContain('BROKER_PASSWORD');
    }
  }, 30_000);

  it.each([
    [
      'widget',
      '65534:65534',
      ['usr/bin/node'],
      ['nodejs', 'libnode115', 'fastify', 'amqplib'],
      ['dockerode', 'dash', 'apt', 'perl-base'],
    ],
    [
      'worker',
      '65534:65534',
      ['usr/bin/node'],
      ['nodejs', 'libnode115', 'dockerode', 'amqplib'],
      ['fastify', 'ssh2', 'dash', 'apt', 'perl-base'],
    ],
    ['proxy', '65534:65534', ['usr/sbin/haproxy'], ['haproxy', 'libssl3t64'], ['dash', 'apt', 'perl-base']],
    ['broker', 'rabbitmq', undefined, ['rabbitmq-server', 'erlang-base'], ['gcc-14', 'binutils']],
  ])(
    'has an image of the %s with a non-root user, its packages and a list of them',
    async (name, user, commands, present, absent) => {
      const image = `${project}-${name}`;
      expect((await docker.getImage(image).inspect()).Config.User).toBe(user);
      expect(await pathsOf(docker, image, givesRights)).toEqual([]);
      if (commands !== undefined) expect(await pathsOf(docker, image, isCommand)).toEqual(commands);
      const names = (await componentsOf(docker, image, `code-widgets-${name}`)).map((component) => component.name);
      expect(names).toEqual(expect.arrayContaining(present));
      expect(absent.filter((package_) => names.includes(package_))).toEqual([]);
    },
    60_000,
  );

  it.each(loadFixtures().map((fixture) => [fixture.name, fixture] as const))(
    'answers like any other deployment: %s',
    async (_, fixture) => {
      expect(differences(fixture.expected, await play(base, fixture))).toEqual([]);
    },
    60_000,
  );

  it('still works when a widget and a worker are stopped', async () => {
    const [widget] = await containersOf('widget');
    const [worker] = await containersOf('worker');
    await dockerCommand(['stop', widget as string, worker as string]);
    const [hello] = loadFixtures(/^run-hello$/);
    for (let i = 0; i < 4; i++)
      expect(differences(hello?.expected as never, await play(base, hello as never))).toEqual([]);
    expect((await post(base, '/check_output/', { identifier: 'x' })).status).toBe(404);
  }, 60_000);

  it('lets the widgets refuse headers that are too large', async () => {
    const withHeader = (bytes: number) => fetch(`${base}/`, { headers: { 'x-large': 'x'.repeat(bytes) } });
    expect((await withHeader(15_800)).status).toBe(200);
    const refusal = await withHeader(17_000);
    expect([refusal.status, refusal.headers.get('access-control-allow-origin')]).toEqual([431, '*']);
  }, 30_000);

  it('answers a client that closes its sending side after a request with doubled slashes', async () => {
    const body = JSON.stringify({
      mode: 'compile',
      files: [{ basename: 'main.c', contents: 'int main(void) { return 0; }' }],
    });
    const head = `POST //run_program// HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    const answer = await exchange(head + body, '');
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toMatch(/"message":"Pending"/);
  });

  it.each([
    ['something other than HTTP', 'hello\r\n\r\n', '', 400],
    ['headers that are too large', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(30_000)}\r\n\r\n`, '', 400],
    ['unfinished headers', 'GET / HTTP/1.1\r\nHost: x\r\n', 'X: ', 400],
  ])('refuses an invalid request with JSON that every page can read: %s', async (_, first, later, status) => {
    const answer = await exchange(first, later);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toMatch(/^access-control-allow-origin: \*\r$/im);
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toEqual({
      error: expect.any(String),
      message: expect.any(String),
    });
  });

  it('refuses an invalid body with JSON that every page can read', async () => {
    const head =
      'POST /run_program/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
    const answer = await exchange(head, 'no length\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer).toMatch(/^access-control-allow-origin: \*\r$/m);
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toEqual({
      error: 'Bad Request',
      message: expect.stringMatching(/not valid HTTP/),
    });
  });

  it('counts the runs of a client by its address, ignoring its headers', async () => {
    // From a container that has run nothing yet. Each of two widgets counts 300 runs, including invalid requests.
    const script = `(async () => {
      const statuses = [];
      for (let i = 0; i < 700 && statuses.at(-1) !== 429; i++) {
        const headers = { 'x-forwarded-for': '198.51.100.' + (i % 256) + ', 203.0.113.' + (i % 256) };
        statuses.push((await fetch('http://proxy:8000/run_program/', { method: 'POST', headers })).status);
      }
      console.log(JSON.stringify(statuses));
    })()`;
    // The first worker was stopped by an earlier test.
    const worker = (await containersOf('worker')).at(-1);
    const { stdout } = await dockerCommand(['exec', worker as string, '/usr/bin/node', '-e', script]);
    const statuses = JSON.parse(stdout) as number[];
    expect(statuses.length).toBeGreaterThan(290);
    expect([...new Set(statuses)]).toEqual([400, 429]);
    // Another client is still served.
    expect((await fetch(`${base}/run_program/`, { method: 'POST' })).status).toBe(400);
  }, 60_000);

  it('answers with JSON that every page can read and Retry-After if no widget is up', async () => {
    await dockerCommand(['stop', ...(await containersOf('widget'))]);
    // A stopped widget may close a reused connection without a response.
    const ask = (method: string, headers: Record<string, string>) =>
      fetch(`${base}/run_program/`, {
        method,
        headers: { origin: 'https://learn.example.org', connection: 'close', ...headers },
      });
    const preflight = () =>
      ask('OPTIONS', { 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' });
    // The proxy notices at its next health check.
    await eventually(
      'the proxy answers by itself',
      () =>
        preflight().then(
          ({ ok }) => ok,
          () => false,
        ),
      { limitMs: 15_000, everyMs: 200 },
    );
    const { status, headers } = await preflight();
    expect([status, headers.get('access-control-allow-origin'), headers.get('access-control-allow-headers')]).toEqual([
      200,
      '*',
      'content-type',
    ]);
    const answer = await ask('POST', { 'content-type': 'application/json' });
    expect([
      answer.status,
      answer.headers.get('access-control-allow-origin'),
      answer.headers.get('retry-after'),
    ]).toEqual([503, '*', '5']);
    expect(await answer.json()).toMatchObject({ error: 'Service Unavailable' });
  }, 60_000);
});
