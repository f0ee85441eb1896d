/** The socket proxy forwards only the calls of the sandbox package to the engine. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { SandboxUnavailable, type Sandbox } from '../../packages/sandbox/src/sandbox.js';
import { environment } from '../helpers/environment.js';
import type { Call } from '../helpers/http-proxy.js';
import {
  allowedCalls,
  buildSocketProxy,
  removeSocketProxyImage,
  startSocketProxy,
  type Asked,
  type SocketProxy,
} from '../helpers/socket-proxy.js';
import {
  buildJob,
  collect,
  containers,
  createTestSandbox,
  docker,
  namespace,
  profiles,
  recordCalls,
  runJob,
  runtime,
  shellJob,
} from './sandbox-harness.js';

const MAIN = {
  basename: 'main.c',
  contents: '#include <stdio.h>\nint main(void) { puts("through the door"); return 0; }\n',
};
const PROJECT = {
  basename: 'main.gpr',
  contents: 'project Main is\n for Main use ("main.c");\n for Languages use ("c");\nend Main;\n',
};
const OTHER_ID = 'f'.repeat(64);
const OWN_NAME = 'code-widgets-11111111-2222-4333-8444-555555555555';

let proxy: SocketProxy;
let calls: Call[];

beforeAll(async () => {
  await buildSocketProxy();
  proxy = await startSocketProxy(namespace, runtime);
  calls = await recordCalls((engine) => useAll(createTestSandbox(engine)));
}, 10 * 60_000);
afterAll(async () => {
  await proxy.end();
  await removeSocketProxyImage();
  expect(await containers()).toEqual([]);
}, 60_000);

/** All uses of the package: jobs of each profile, a job without a status, the container of a dead worker. */
async function useAll(sandbox: Sandbox): Promise<void> {
  await sandbox.check();
  expect(await sandbox.inspect()).toEqual([]);
  const files = [MAIN, PROJECT];
  const { copiedOut: executable } = await collect(sandbox, buildJob(files));
  if (executable === undefined) throw new Error('nothing was built');
  const { stdout } = await collect(sandbox, runJob({ executable, files }));
  expect(stdout).toBe('through the door\n');

  const silent = collect(sandbox, shellJob('echo begun; sleep 20', undefined, profiles.prove), {
    onOutput: () => void killAll(),
  });
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
  // A container of an earlier step may be going at this moment.
  for (const { Id } of await containers())
    await docker
      .getContainer(Id)
      .kill()
      .catch(() => undefined);
}

describe('the calls of the sandbox package', () => {
  it("match the proxy's rules exactly", () => {
    const rules = allowedCalls();
    const of = ({ method, path }: Call) =>
      rules.filter((rule) => rule.method === method && rule.matches(path)).map(({ text }) => text);
    for (const call of calls)
      expect([call.method, call.path, of(call)]).toEqual([call.method, call.path, [expect.any(String)]]);
    expect([...new Set(calls.flatMap(of))].sort()).toEqual(rules.map(({ text }) => text).sort());
    expect(rules).toHaveLength(9);
  });

  it('succeed through the proxy', () => useAll(createTestSandbox(proxy)), 60_000);
});

describe('the proxy refuses', () => {
  const filters = (label: string) => encodeURIComponent(JSON.stringify({ label: [label] }));
  it.each<Asked>([
    { method: 'GET', path: '/containers/json' },
    { method: 'GET', path: '/containers/json?all=true' },
    { method: 'GET', path: `/containers/json?filters=${filters('code-widgets.namespace=another')}` },
    { method: 'GET', path: `/containers/json?filters=${filters('code-widgets.namespace')}` },
    {
      method: 'GET',
      path: `/containers/json?all=true&filters={}&filters=${filters(`code-widgets.namespace=${namespace}`)}`,
    },
    {
      method: 'GET',
      path: `/containers/json?all=true&f%69lters={}&filters=${filters(`code-widgets.namespace=${namespace}`)}`,
    },
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
