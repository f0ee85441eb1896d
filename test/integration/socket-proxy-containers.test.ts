/**
 * The socket proxy lets a worker make the containers of its runtime, exactly as the sandbox package makes
 * them, and no others.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { environment } from '../helpers/environment.js';
import {
  buildSocketProxy,
  removeSocketProxyImage,
  startSocketProxy,
  type SocketProxy,
} from '../helpers/socket-proxy.js';
import {
  collect,
  containers,
  createTestSandbox,
  gvisor,
  namespace,
  profiles,
  recordCalls,
  runJob,
  shellJob,
} from './sandbox-harness.js';

type Host = Record<string, unknown> & {
  SecurityOpt: string[];
  Tmpfs: Record<string, string>;
  Ulimits: { Name: string }[];
};
type Body = Record<string, unknown> & { HostConfig: Host; Labels: Record<string, string> };
type Change = (body: Body) => Body;

const KINDS = ['build', 'run', 'prove'] as const;
const RUNTIMES = ['', 'runsc'] as const;
type Runtime = (typeof RUNTIMES)[number];

const NAME = 'code-widgets-11111111-2222-4333-8444-555555555555';
const PATH = `/containers/create?name=${NAME}`;
/** What the engine answers to what came through: one that has no runsc says that. */
const answer = (runtime: Runtime) => (runtime === '' || gvisor ? 201 : 400);

let proxies: Record<Runtime, SocketProxy>;
let bodies: Record<Runtime, Body[]>;

beforeAll(async () => {
  await buildSocketProxy();
  proxies = { '': await startSocketProxy(namespace), runsc: await startSocketProxy(namespace, 'runsc') };
  bodies = { '': await asSentUnder(''), runsc: await asSentUnder('runsc') };
}, 10 * 60_000);
afterAll(async () => {
  for (const runtime of RUNTIMES) await proxies[runtime].end();
  await removeSocketProxyImage();
  expect(await containers()).toEqual([]);
}, 60_000);

/** A creation of each kind, as the package asks for it, whether the engine can or not. */
async function asSentUnder(runtime: Runtime): Promise<Body[]> {
  const calls = await recordCalls(async (engine) => {
    const sandbox = createTestSandbox(engine, runtime);
    const jobs = [
      shellJob('true'),
      runJob({ executable: [Buffer.from('no program')], files: [] }),
      shellJob('true', undefined, profiles.prove),
    ];
    for (const job of jobs) await collect(sandbox, job).catch(() => undefined);
    await sandbox.close();
  });
  const sent = calls.filter(({ path }) => path === '/containers/create').map(({ body }) => JSON.parse(body) as Body);
  expect(sent.map(({ HostConfig }) => HostConfig.Runtime)).toEqual(KINDS.map(() => runtime || undefined));
  return sent.map((body) => ({ ...body, name: NAME }));
}

const asSent = (runtime: Runtime, kind: (typeof KINDS)[number] = 'run') => bodies[runtime][KINDS.indexOf(kind)] as Body;
const createAt = (proxy: SocketProxy, body: string, path = PATH) => proxy.ask({ method: 'POST', path, body });
const create = (runtime: Runtime, body: Body) => createAt(proxies[runtime], JSON.stringify(body));
const remove = (proxy: SocketProxy) => proxy.ask({ method: 'DELETE', path: `/containers/${NAME}?force=true` });

const inHost = (more: Record<string, unknown>) => (body: Body) => ({
  ...body,
  HostConfig: { ...body.HostConfig, ...more },
});
/** With its key where the package has it, the first. */
const withRuntime = (name: string) => (body: Body) => ({
  ...body,
  HostConfig: Object.assign({ Runtime: '' }, body.HostConfig, { Runtime: name }),
});
const withSecurity =
  (change: (all: string[]) => string[]): Change =>
  (body) =>
    inHost({ SecurityOpt: change(body.HostConfig.SecurityOpt) })(body);
const withTmpfs =
  (change: (all: Host['Tmpfs']) => Host['Tmpfs']): Change =>
  (body) =>
    inHost({ Tmpfs: change(body.HostConfig.Tmpfs) })(body);
const withUlimits =
  (change: (all: Host['Ulimits']) => Host['Ulimits']): Change =>
  (body) =>
    inHost({ Ulimits: change(body.HostConfig.Ulimits) })(body);

describe.each(RUNTIMES)('of the containers that a worker could ask for, the proxy for runtime "%s"', (runtime) => {
  it.each(KINDS)('makes those of the package: %s', async (kind) => {
    expect(await create(runtime, asSent(runtime, kind))).toBe(answer(runtime));
    expect(await remove(proxies[runtime])).toBe(answer(runtime) === 201 ? 204 : 404);
  });

  it.each<[string, Change]>([
    ['that has all rights', inHost({ Privileged: true })],
    ['that mounts a folder of the host', inHost({ Binds: ['/:/host'] })],
    ['that mounts it by another key', inHost({ Mounts: [{ Type: 'bind', Source: '/', Target: '/host' }] })],
    ['that mounts it by a key in other letters', inHost({ binds: ['/:/host'] })],
    ['that has the volumes of another', inHost({ VolumesFrom: ['broker'] })],
    [
      'that has a device',
      inHost({ Devices: [{ PathOnHost: '/dev/sda', PathInContainer: '/dev/sda', CgroupPermissions: 'rwm' }] }),
    ],
    ['with the network of the host', inHost({ NetworkMode: 'host' })],
    ['with the processes of the host', inHost({ PidMode: 'host' })],
    ['with the memory of another', inHost({ IpcMode: 'container:broker' })],
    ['with another runtime', withRuntime('runc')],
    ['with another cgroup', inHost({ CgroupParent: '/' })],
    ['that keeps its capabilities', inHost({ CapDrop: [] })],
    ['that has more capabilities', inHost({ CapAdd: ['SETPCAP', 'SETUID', 'SETGID', 'SYS_ADMIN'] })],
    ['that may write its root', inHost({ ReadonlyRootfs: false })],
    ['without a limit of memory', inHost({ Memory: 0 })],
    ['without a limit of swap', inHost({ MemorySwap: -1 })],
    ['without a limit of processes', inHost({ PidsLimit: 0 })],
    ['with more to write to', withTmpfs((all) => ({ ...all, '/x': '' }))],
    ['with set-uid files', withTmpfs((all) => ({ ...all, '/workspace': 'rw,exec,suid,dev,size=1000,nr_inodes=10' }))],
    ['without a limit of open files', withUlimits((all) => all.slice(1))],
    ['without a seccomp profile', inHost({ SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'] })],
    [
      'with another seccomp profile',
      inHost({ SecurityOpt: ['no-new-privileges', 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'] }),
    ],
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
    expect(await create(runtime, change(asSent(runtime)))).toBe(403);
  });

  it('is not misled by how it is written', async () => {
    const text = JSON.stringify(asSent(runtime));
    const create = (body: string, path?: string) => createAt(proxies[runtime], body, path);
    const evil = '{"Privileged":true}';
    expect(await create(text.replace(/^\{/, `{"HostConfig":${evil},`))).toBe(403);
    expect(await create(text.replace(/\}$/, `,"HostConfig":${evil}}`))).toBe(403);
    expect(await create(text.replace('"name":', '"hostconfig":{"Binds":["/:/host"]},"name":'))).toBe(403);
    expect(await create(`${evil}${text}`)).toBe(403);
    expect(await create(`\n${text}`)).toBe(403);
    expect(await create(text, '/containers/create?name=broker')).toBe(403);
    expect(await create(text, `/containers/create?name=broker&name=${NAME}`)).toBe(403);
    expect(await create(text, `/containers/create?n%61me=broker&name=${NAME}`)).toBe(403);
    expect(await create(text, `/containers/create?x=1;name=broker&name=${NAME}`)).toBe(403);
    expect(await create(text, '/containers/create')).toBe(403);
    expect(await create(text, `//containers/create?name=${NAME}`)).toBe(403);
    expect(await create('')).toBe(403);
    const chunked = { 'transfer-encoding': 'chunked', 'content-type': 'application/json' };
    expect(await proxies[runtime].ask({ method: 'POST', path: PATH, headers: chunked })).toBe(403);
    // Behind so much white space what follows would not be looked at.
    expect(
      await create(
        `${' '.repeat(100_000)}${JSON.stringify({ Image: environment('RUN_IMAGE'), HostConfig: { Privileged: true } })}`,
      ),
    ).toBe(403);
  });
});

describe('what gVisor takes besides, the proxy', () => {
  const KEEPER = '/workspace/tmp/.gvisor';
  const withoutKeeper = (all: Host['Tmpfs']) =>
    Object.fromEntries(Object.entries(all).filter(([path]) => path !== KEEPER));
  const keptBy = (path: string, options: string) => withTmpfs((all) => ({ ...withoutKeeper(all), [path]: options }));
  const OPTIONS = 'ro,noexec,nosuid,nodev,size=4096';
  const processes = (limit: object) => ({ Name: 'nproc', Soft: 99, Hard: 99, ...limit });
  const held = (...limits: { Name: string }[]) =>
    withUlimits((all) => [...all.filter(({ Name }) => Name !== 'nproc'), ...limits]);
  const profileOf = (runtime: Runtime) => withSecurity(() => asSent(runtime).HostConfig.SecurityOpt);

  it.each<[string, Change, Change]>([
    ['its limit of processes', held(), held(processes({}))],
    ['its mount', withTmpfs(withoutKeeper), keptBy(KEEPER, OPTIONS)],
    [
      'both',
      (body) => held()(withTmpfs(withoutKeeper)(body)),
      (body) => held(processes({}))(keptBy(KEEPER, OPTIONS)(body)),
    ],
    ['its seccomp profile', profileOf(''), profileOf('runsc')],
    ['all of it', () => withRuntime('runsc')(asSent('')), () => inHost({ Runtime: undefined })(asSent('runsc'))],
  ])('demands of gVisor, and refuses to others: %s', async (_, taken, given) => {
    expect(await create('runsc', taken(asSent('runsc')))).toBe(403);
    expect(await create('', given(asSent('')))).toBe(403);
  });

  it.each<[string, Change]>([
    ['a mount that can be written to', keptBy(KEEPER, OPTIONS.replace('ro', 'rw'))],
    ['a mount with devices', keptBy(KEEPER, OPTIONS.replace('nodev', 'dev'))],
    ['a larger mount', keptBy(KEEPER, OPTIONS.replace('4096', '40960'))],
    ['a mount in another place', keptBy('/workspace/tmp', OPTIONS)],
    ['a mount over what the image has', keptBy('/usr/libexec', OPTIONS)],
    ['a second mount', withTmpfs((all) => ({ ...all, '/x': OPTIONS }))],
    ['no end of processes', held(processes({ Soft: -1, Hard: -1 }))],
    ['another limit', held(processes({ Name: 'memlock' }))],
    ['a second limit', held(processes({}), processes({ Name: 'memlock' }))],
  ])('lets be nothing else: %s', async (_, change) => {
    expect(await create('runsc', change(asSent('runsc')))).toBe(403);
    expect(await create('', change(asSent('')))).toBe(403);
  });

  it.each([
    ['runc', ''],
    ['crun', ''],
    ['gVisor', 'runsc'],
    ['io.containerd.runsc.v1', 'runsc'],
  ] as const)(
    'knows by the name of the runtime, as the package does: %s',
    async (name, kind) => {
      const proxy = await startSocketProxy(namespace, name);
      try {
        const create = (body: Body) => createAt(proxy, JSON.stringify(body));
        for (const runtime of RUNTIMES) {
          // An engine that has no such runtime answers 400 to what came through.
          expect(runtime === kind ? [201, 400] : [403]).toContain(await create(withRuntime(name)(asSent(runtime))));
          expect(await create(withRuntime('another')(asSent(runtime)))).toBe(403);
          expect(await create(asSent(runtime))).toBe(403);
        }
      } finally {
        await remove(proxy);
        await proxy.end();
      }
    },
    30_000,
  );
});
