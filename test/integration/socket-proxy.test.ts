/** The socket proxy lets through what the sandbox package asks of the engine, and nothing else. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { engineOptions } from '../../packages/sandbox/src/engine.js';
import { SandboxUnavailable, type Sandbox } from '../../packages/sandbox/src/sandbox.js';
import { environment } from '../helpers/environment.js';
import { recordingProxy, type Call } from '../helpers/recording-proxy.js';
import { allowedCalls, buildSocketProxy, removeSocketProxyImage, startSocketProxy, type Asked, type SocketProxy } from '../helpers/socket-proxy.js';
import { address, collect, containers, createTestSandbox, docker, namespace } from './sandbox-harness.js';

const MAIN = { basename: 'main.c', contents: '#include <stdio.h>\nint main(void) { puts("through the door"); return 0; }\n' };
const PROJECT = { basename: 'main.gpr', contents: 'project Main is\n for Main use ("main.c");\n for Languages use ("c");\nend Main;\n' };
const OTHER_ID = 'f'.repeat(64);
const OWN_NAME = 'code-widgets-11111111-2222-4333-8444-555555555555';

let proxy: SocketProxy;
let calls: Call[];

beforeAll(async () => {
  await buildSocketProxy();
  proxy = await startSocketProxy(namespace);
  const folder = mkdtempSync(join(tmpdir(), `code-widgets-${process.env.RUN_ID ?? 'record'}-`));
  const { socketPath, host, port } = engineOptions(address) as { socketPath?: string; host?: string; port?: number };
  const engine = socketPath === undefined ? { host: String(host), port: Number(port) } : { socketPath };
  const recorder = await recordingProxy(engine, join(folder, 'engine.sock'));
  await useAll(createTestSandbox({ dockerHost: recorder.dockerHost }));
  ({ calls } = recorder);
  recorder.close();
  rmSync(folder, { recursive: true });
}, 10 * 60_000);
afterAll(async () => {
  await proxy.end();
  await removeSocketProxyImage();
  expect(await containers()).toEqual([]);
}, 60_000);

/** Everything that the package does: steps of each kind, one that ends without a word, what a dead worker left. */
async function useAll(sandbox: Sandbox): Promise<void> {
  await sandbox.check();
  const files = [MAIN, PROJECT];
  const { executable } = await collect((options) => sandbox.build({ command: ['gprbuild', '-q', '-P', 'main.gpr'], files, executable: 'main' }, options));
  if (executable === undefined) throw new Error('nothing was built');
  const { stdout } = await collect((options) => sandbox.run({ executable, files, command: ['./main'] }, options));
  expect(stdout).toBe('through the door\n');

  const silent = collect((options) => sandbox.prove({ command: ['sh', '-c', 'echo begun; sleep 20'], files }, options), { onOutput: () => void killAll() });
  await expect(silent).rejects.toThrow(SandboxUnavailable);

  await sandbox.close();
  const Labels = { 'code-widgets.namespace': namespace, 'code-widgets.lifetime-s': '0' };
  const left = await docker.createContainer({ Image: environment('RUN_IMAGE'), Labels });
  await left.start();
  await left.wait();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(await sandbox.removeLeftovers()).toBe(1);
  await sandbox.close();
}

async function killAll(): Promise<void> {
  // One of an earlier step may just be going by itself.
  for (const { Id } of await containers()) await docker.getContainer(Id).kill().catch(() => undefined);
}

describe('the calls of the sandbox package', () => {
  it('are those that the proxy allows, each of them', () => {
    const rules = allowedCalls();
    const of = ({ method, path }: Call) => rules.filter((rule) => rule.method === method && rule.matches(path)).map(({ text }) => text);
    for (const call of calls) expect([call.method, call.path, of(call)]).toEqual([call.method, call.path, [expect.any(String)]]);
    expect([...new Set(calls.flatMap(of))].sort()).toEqual(rules.map(({ text }) => text).sort());
    expect(rules).toHaveLength(9);
  });

  it('go through the proxy as if it were not there', () => useAll(createTestSandbox({ dockerHost: proxy.dockerHost })), 60_000);
});

describe('the proxy refuses', () => {
  const filters = (label: string) => encodeURIComponent(JSON.stringify({ label: [label] }));
  it.each<Asked>([
    { method: 'GET', path: '/containers/json' },
    { method: 'GET', path: '/containers/json?all=true' },
    { method: 'GET', path: `/containers/json?filters=${filters('code-widgets.namespace=another')}` },
    { method: 'GET', path: `/containers/json?filters=${filters('code-widgets.namespace')}` },
    { method: 'GET', path: `/containers/json?all=true&filters={}&filters=${filters(`code-widgets.namespace=${namespace}`)}` },
    { method: 'GET', path: `/containers/json?all=true&f%69lters={}&filters=${filters(`code-widgets.namespace=${namespace}`)}` },
    { method: 'GET', path: '/version' },
    { method: 'GET', path: '/v1.41/_ping' },
    { method: 'GET', path: '/events' },
    { method: 'GET', path: '/volumes' },
    { method: 'GET', path: '/secrets' },
    { method: 'GET', path: '/networks' },
    { method: 'GET', path: '/images/json' },
    { method: 'GET', path: '/images/../containers/json' },
    { method: 'GET', path: '/images/%2e%2e/containers/json' },
    { method: 'GET', path: '/images/x/get' },
    { method: 'POST', path: '/images/create?fromImage=x' },
    { method: 'POST', path: '/images/load' },
    { method: 'DELETE', path: '/images/x' },
    { method: 'POST', path: '/build' },
    { method: 'POST', path: '/commit?container=x' },
    { method: 'POST', path: '/volumes/create' },
    { method: 'POST', path: '/swarm/init' },
    { method: 'POST', path: '/plugins/pull' },
    { method: 'POST', path: '/session', headers: { connection: 'Upgrade', upgrade: 'h2c' } },
    { method: 'POST', path: '/grpc', headers: { connection: 'Upgrade', upgrade: 'h2c' } },
    { method: 'GET', path: '/_ping', headers: { connection: 'Upgrade', upgrade: 'tcp' } },
    { method: 'POST', path: `/containers/${OWN_NAME}/attach`, headers: { connection: 'Upgrade', upgrade: 'other' } },
    { method: 'POST', path: `/containers/${OWN_NAME}/exec` },
    { method: 'POST', path: `/containers/${OWN_NAME}/update` },
    { method: 'POST', path: `/containers/${OWN_NAME}/rename?name=x` },
    { method: 'GET', path: `/containers/${OWN_NAME}/logs` },
    { method: 'GET', path: `/containers/${OWN_NAME}/archive?path=/etc/passwd` },
    { method: 'PUT', path: `/containers/${OWN_NAME}/archive?path=/` },
    { method: 'GET', path: `/containers/${OWN_NAME}/export` },
    { method: 'POST', path: `/containers/${OTHER_ID}/attach`, headers: { connection: 'Upgrade', upgrade: 'tcp' } },
    { method: 'POST', path: `/containers/${OTHER_ID}/start` },
    { method: 'GET', path: '/containers/broker/json' },
    { method: 'DELETE', path: '/containers/broker?force=true' },
    { method: 'DELETE', path: '/containers/ffffffffffff?force=true' },
    { method: 'POST', path: '/exec/x/start' },
    { method: 'POST', path: '/auth' },
    { method: 'HEAD', path: '/_ping' },
  ])('$method $path', async (call) => {
    expect(await proxy.ask(call)).toBe(403);
  });
});

describe('of the containers that a worker could ask for, the proxy', () => {
  type Host = Record<string, unknown> & { SecurityOpt: string[] };
  type Body = Record<string, unknown> & { HostConfig: Host; Labels: Record<string, string> };
  const path = `/containers/create?name=${OWN_NAME}`;
  const create = (text: string, at = path) => proxy.ask({ method: 'POST', path: at, body: text });
  /** A creation as the package asks for it, with the name above. */
  function asSent(kind: 'build' | 'run' | 'prove' = 'run'): Body {
    const bodies = calls.filter((call) => call.path === '/containers/create').map(({ body }) => JSON.parse(body) as Body);
    return { ...bodies[['build', 'run', 'prove'].indexOf(kind)], name: OWN_NAME } as Body;
  }
  const inHost = (more: Record<string, unknown>) => (body: Body) => ({ ...body, HostConfig: { ...body.HostConfig, ...more } });
  const withRuntime = (Runtime: string) => (body: Body) => ({ ...body, HostConfig: { Runtime, ...body.HostConfig } });
  const withSecurity = (change: (all: string[]) => string[]) => (body: Body) => inHost({ SecurityOpt: change(body.HostConfig.SecurityOpt) })(body);

  it.each(['build', 'run', 'prove'] as const)('makes those of the package: %s', async (kind) => {
    expect(await create(JSON.stringify(asSent(kind)))).toBe(201);
    expect(await proxy.ask({ method: 'DELETE', path: `/containers/${OWN_NAME}?force=true` })).toBe(204);
  });

  it.each<[string, (body: Body) => unknown]>([
    ['that has all rights', inHost({ Privileged: true })],
    ['that mounts a folder of the host', inHost({ Binds: ['/:/host'] })],
    ['that mounts it by another key', inHost({ Mounts: [{ Type: 'bind', Source: '/', Target: '/host' }] })],
    ['that mounts it by a key in other letters', inHost({ binds: ['/:/host'] })],
    ['that has the volumes of another', inHost({ VolumesFrom: ['broker'] })],
    ['that has a device', inHost({ Devices: [{ PathOnHost: '/dev/sda', PathInContainer: '/dev/sda', CgroupPermissions: 'rwm' }] })],
    ['with the network of the host', inHost({ NetworkMode: 'host' })],
    ['with the processes of the host', inHost({ PidMode: 'host' })],
    ['with the memory of another', inHost({ IpcMode: 'container:broker' })],
    ['with another runtime', withRuntime('runc')],
    ['with another cgroup', inHost({ CgroupParent: '/' })],
    ['that keeps its capabilities', inHost({ CapDrop: [] })],
    ['that has more capabilities', inHost({ CapAdd: ['SETUID', 'SETGID', 'SYS_ADMIN'] })],
    ['that may write its root', inHost({ ReadonlyRootfs: false })],
    ['without a limit of memory', inHost({ Memory: 0 })],
    ['without a limit of swap', inHost({ MemorySwap: -1 })],
    ['without a limit of processes', inHost({ PidsLimit: 0 })],
    ['with more to write to', inHost({ Tmpfs: { '/workspace': 'rw,exec,nosuid,nodev,size=1000,nr_inodes=10', '/x': '' } })],
    ['with set-uid files', inHost({ Tmpfs: { '/workspace': 'rw,exec,suid,dev,size=1000,nr_inodes=10' } })],
    ['without a seccomp profile', inHost({ SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'] })],
    ['with another seccomp profile', inHost({ SecurityOpt: ['no-new-privileges', 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'] })],
    ['that may gain rights', withSecurity((all) => all.slice(1))],
    ['that is not confined otherwise', withSecurity((all) => [...all, 'apparmor=unconfined'])],
    ['with logs', inHost({ LogConfig: { Type: 'syslog', Config: { 'syslog-address': 'tcp://127.0.0.1:1' } } })],
    ['of another image', (body) => ({ ...body, Image: 'debian:trixie-slim' })],
    ['of another namespace', (body) => ({ ...body, Labels: { ...body.Labels, 'code-widgets.namespace': 'another' } })],
    ['with another first program', (body) => ({ ...body, Entrypoint: ['/bin/sh'] })],
    ['of another user', (body) => ({ ...body, User: '0' })],
    ['with a network', (body) => ({ ...body, NetworkDisabled: false })],
    ['of another name', (body) => ({ ...body, name: 'broker' })],
  ])('makes none %s', async (_, change) => {
    expect(await create(JSON.stringify(change(asSent())))).toBe(403);
  });

  it('makes only those of the runtime that it was told of', async () => {
    const other = await startSocketProxy(namespace, 'runc');
    try {
      const create = (body: Body) => other.ask({ method: 'POST', path, body: JSON.stringify(body) });
      expect(await create(asSent())).toBe(403);
      expect(await create(withRuntime('another')(asSent()))).toBe(403);
      expect(await create(withRuntime('runc')(asSent()))).toBe(201);
    } finally {
      await other.ask({ method: 'DELETE', path: `/containers/${OWN_NAME}?force=true` });
      await other.end();
    }
  }, 30_000);

  it('is not misled by how it is written', async () => {
    const text = JSON.stringify(asSent());
    const evil = '{"Privileged":true}';
    expect(await create(text.replace(/^\{/, `{"HostConfig":${evil},`))).toBe(403);
    expect(await create(text.replace(/\}$/, `,"HostConfig":${evil}}`))).toBe(403);
    expect(await create(text.replace('"name":', '"hostconfig":{"Binds":["/:/host"]},"name":'))).toBe(403);
    expect(await create(`${evil}${text}`)).toBe(403);
    expect(await create(`\n${text}`)).toBe(403);
    expect(await create(text, '/containers/create?name=broker')).toBe(403);
    expect(await create(text, `/containers/create?name=broker&name=${OWN_NAME}`)).toBe(403);
    expect(await create(text, `/containers/create?n%61me=broker&name=${OWN_NAME}`)).toBe(403);
    expect(await create(text, `/containers/create?x=1;name=broker&name=${OWN_NAME}`)).toBe(403);
    expect(await create(text, '/containers/create')).toBe(403);
    expect(await create(text, `//containers/create?name=${OWN_NAME}`)).toBe(403);
    expect(await create('')).toBe(403);
    const chunked = { 'transfer-encoding': 'chunked', 'content-type': 'application/json' };
    expect(await proxy.ask({ method: 'POST', path, headers: chunked })).toBe(403);
    // Behind so much white space what follows would not be looked at.
    expect(await create(`${' '.repeat(100_000)}${JSON.stringify({ Image: environment('RUN_IMAGE'), HostConfig: { Privileged: true } })}`)).toBe(403);
  });
});
