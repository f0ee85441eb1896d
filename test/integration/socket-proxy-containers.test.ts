/** The socket proxy lets a worker create only containers exactly as the sandbox package does, with its runtime. */
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
/** The engine's answer to a forwarded call: an engine without runsc answers 400. */
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

/** The creation of each kind of container as the package requests it, even for a runtime that the engine lacks. */
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
/** Puts the runtime first, where the package puts it. */
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

describe.each(RUNTIMES)('the socket proxy for runtime "%s"', (runtime) => {
  it.each(KINDS)('creates the containers of the package: %s', async (kind) => {
    expect(await create(runtime, asSent(runtime, kind))).toBe(answer(runtime));
    expect(await remove(proxies[runtime])).toBe(answer(runtime) === 201 ? 204 : 404);
  });

  it.each<[string, Change]>([
    ['with all privileges', inHost({ Privileged: true })],
    ['with a mounted host folder', inHost({ Binds: ['/:/host'] })],
    ['with a mount through another key', inHost({ Mounts: [{ Type: 'bind', Source: '/', Target: '/host' }] })],
    ['with a mount through a key in lower case', inHost({ binds: ['/:/host'] })],
    ['with the volumes of another container', inHost({ VolumesFrom: ['broker'] })],
    [
      'with a device',
      inHost({ Devices: [{ PathOnHost: '/dev/sda', PathInContainer: '/dev/sda', CgroupPermissions: 'rwm' }] }),
    ],
    ['with the host network', inHost({ NetworkMode: 'host' })],
    ['with the host processes', inHost({ PidMode: 'host' })],
    ['with the shared memory of another container', inHost({ IpcMode: 'container:broker' })],
    ['with another runtime', withRuntime('runc')],
    ['with another cgroup', inHost({ CgroupParent: '/' })],
    ['with default capabilities', inHost({ CapDrop: [] })],
    ['with added capabilities', inHost({ CapAdd: ['SETPCAP', 'SETUID', 'SETGID', 'SYS_ADMIN'] })],
    ['with a writable root', inHost({ ReadonlyRootfs: false })],
    ['without a memory limit', inHost({ Memory: 0 })],
    ['without a swap limit', inHost({ MemorySwap: -1 })],
    ['without a process limit', inHost({ PidsLimit: 0 })],
    ['with another writable folder', withTmpfs((all) => ({ ...all, '/x': '' }))],
    ['with set-uid files', withTmpfs((all) => ({ ...all, '/workspace': 'rw,exec,suid,dev,size=1000,nr_inodes=10' }))],
    ['without a limit on open files', withUlimits((all) => all.slice(1))],
    ['without a seccomp profile', inHost({ SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'] })],
    [
      'with another seccomp profile',
      inHost({ SecurityOpt: ['no-new-privileges', 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'] }),
    ],
    ['without no-new-privileges', withSecurity((all) => all.slice(1))],
    ['with another security option', withSecurity((all) => [...all, 'apparmor=unconfined'])],
    [
      'with another log driver',
      inHost({ LogConfig: { Type: 'syslog', Config: { 'syslog-address': 'tcp://127.0.0.1:1' } } }),
    ],
    ['with another image', (body) => ({ ...body, Image: 'debian:trixie-slim' })],
    [
      'with another namespace',
      (body) => ({ ...body, Labels: { ...body.Labels, 'code-widgets.namespace': 'another' } }),
    ],
    ['with another entrypoint', (body) => ({ ...body, Entrypoint: ['/bin/sh'] })],
    ['with another user', (body) => ({ ...body, User: '0' })],
    ['with a network', (body) => ({ ...body, NetworkDisabled: false })],
    ['with another name', (body) => ({ ...body, name: 'broker' })],
  ])('creates no container %s', async (_, change) => {
    expect(await create(runtime, change(asSent(runtime)))).toBe(403);
  });

  it('is not misled by the form of the JSON text', async () => {
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
    // The proxy does not look beyond so much white space.
    expect(
      await create(
        `${' '.repeat(100_000)}${JSON.stringify({ Image: environment('RUN_IMAGE'), HostConfig: { Privileged: true } })}`,
      ),
    ).toBe(403);
  });
});

describe('the socket proxy and the options for gVisor', () => {
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
    ['the process limit', held(), held(processes({}))],
    ['the mount', withTmpfs(withoutKeeper), keptBy(KEEPER, OPTIONS)],
    [
      'both',
      (body) => held()(withTmpfs(withoutKeeper)(body)),
      (body) => held(processes({}))(keptBy(KEEPER, OPTIONS)(body)),
    ],
    ['the seccomp profile', profileOf(''), profileOf('runsc')],
    ['all options', () => withRuntime('runsc')(asSent('')), () => inHost({ Runtime: undefined })(asSent('runsc'))],
  ])('requires them for gVisor and refuses them for other runtimes: %s', async (_, taken, given) => {
    expect(await create('runsc', taken(asSent('runsc')))).toBe(403);
    expect(await create('', given(asSent('')))).toBe(403);
  });

  it.each<[string, Change]>([
    ['a writable mount', keptBy(KEEPER, OPTIONS.replace('ro', 'rw'))],
    ['a mount with devices', keptBy(KEEPER, OPTIONS.replace('nodev', 'dev'))],
    ['a larger mount', keptBy(KEEPER, OPTIONS.replace('4096', '40960'))],
    ['a mount elsewhere', keptBy('/workspace/tmp', OPTIONS)],
    ['a mount over files of the image', keptBy('/usr/libexec', OPTIONS)],
    ['a second mount', withTmpfs((all) => ({ ...all, '/x': OPTIONS }))],
    ['an unlimited number of processes', held(processes({ Soft: -1, Hard: -1 }))],
    ['another ulimit', held(processes({ Name: 'memlock' }))],
    ['a second ulimit', held(processes({}), processes({ Name: 'memlock' }))],
  ])('refuses %s', async (_, change) => {
    expect(await create('runsc', change(asSent('runsc')))).toBe(403);
    expect(await create('', change(asSent('')))).toBe(403);
  });

  it.each([
    ['runc', ''],
    ['crun', ''],
    ['gVisor', 'runsc'],
    ['io.containerd.runsc.v1', 'runsc'],
  ] as const)(
    'recognizes gVisor by the same runtime names as the package: %s',
    async (name, kind) => {
      const proxy = await startSocketProxy(namespace, name);
      try {
        const create = (body: Body) => createAt(proxy, JSON.stringify(body));
        for (const runtime of RUNTIMES) {
          // An engine without this runtime answers 400 to a forwarded call.
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
