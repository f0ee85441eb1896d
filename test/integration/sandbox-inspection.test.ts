import { afterAll, describe, expect, it, jest } from '@jest/globals';
import type { ContainerCreateOptions, HostConfig } from 'dockerode';

import { deploy } from '../helpers/deployment.js';
import { httpProxy } from '../helpers/http-proxy.js';
import { engineOptions } from '../../packages/sandbox/src/docker-runtime.js';
import { address, containers, createTestSandbox, gvisor, sandbox } from './sandbox-harness.js';

jest.setTimeout(60_000);
afterAll(async () => {
  await sandbox.close();
  expect(await containers()).toEqual([]);
});

const { SecurityOpt = [] } = { SecurityOpt: ['no-new-privileges'] } satisfies HostConfig;
type Change = HostConfig & { NetworkDisabled?: boolean };
/** Protections that an engine might leave out, and the resulting message. */
const LEFT_OUT: [name: string, change: Change, said: RegExp][] = [
  ['the read-only root', { ReadonlyRootfs: false }, /root file system can be written/],
  [
    'the seccomp profile',
    { SecurityOpt: [...SecurityOpt, 'seccomp=unconfined'] },
    /A command can (use io_uring|make a namespace)/,
  ],
  [
    'the size limit of the tmpfs',
    { Tmpfs: { '/workspace': 'rw,exec,nosuid,nodev' } },
    /What a command writes is not limited/,
  ],
  [
    'the protection of other folders',
    { Tmpfs: { '/workspace': 'rw,exec,nosuid,nodev,size=64m', '/srv': 'rw,uid=10001' } },
    /beside its workspace/,
  ],
  ['the ulimits', { Ulimits: [] }, /Open files or core dumps/],
];
/** Limits of the host, which are not visible inside gVisor. */
const LEFT_OUT_BY_HOST: typeof LEFT_OUT = [
  ['the memory limit', { Memory: 0, MemorySwap: 0 }, /Memory is not limited/],
  ['the swap limit', { MemorySwap: -1 }, /Swap is not limited/],
  ['the process limit', { PidsLimit: 0 }, /Processes are not limited/],
  ['the processor limit', { NanoCpus: 0 }, /Processor time is not limited/],
  ['the network isolation', { NetworkMode: 'bridge', NetworkDisabled: false }, /network in a container/],
];
/** gVisor counts processes itself, by a ulimit. */
const LEFT_OUT_OF_GVISOR: typeof LEFT_OUT = [['the process limit', { Ulimits: [] }, /Processes are not limited/]];

/** Creates containers with the options that `change` returns, as an engine would that ignores some options. */
const engineWith = (change: (options: ContainerCreateOptions) => ContainerCreateOptions) =>
  httpProxy(() => [engineOptions(address)], {
    rewrite: (path, body) =>
      /\/containers\/create\b/.test(path)
        ? JSON.stringify(change(JSON.parse(body.toString()) as ContainerCreateOptions))
        : undefined,
  });

describe('the inspection of the sandbox', () => {
  it('reports no fault for this engine and these images', async () => {
    expect(await sandbox.inspect()).toEqual([]);
  });

  it.each([...LEFT_OUT, ...(gvisor ? LEFT_OUT_OF_GVISOR : LEFT_OUT_BY_HOST)])(
    'reports an engine that leaves out %s',
    async (_, { NetworkDisabled, ...change }, said) => {
      const proxy = await engineWith((options) => ({
        ...options,
        ...(NetworkDisabled !== undefined && { NetworkDisabled }),
        HostConfig: { ...options.HostConfig, ...change },
      }));
      const weak = createTestSandbox({ dockerHost: proxy.address });
      try {
        const faults = await weak.inspect();
        expect(faults.filter((fault) => said.test(fault)).length).toBeGreaterThan(0);
      } finally {
        await weak.close();
        proxy.close();
      }
    },
  );

  it('keeps a worker from taking tasks, and the log says why', async () => {
    const proxy = await engineWith((options) => ({
      ...options,
      HostConfig: { ...options.HostConfig, ReadonlyRootfs: false },
    }));
    try {
      const starting = deploy({ widgets: 1, workers: 1, env: { DOCKER_HOST: proxy.address } });
      await expect(starting).rejects.toThrow(/root file system can be written/);
    } finally {
      proxy.close();
    }
  });
});
