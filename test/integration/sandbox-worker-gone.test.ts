import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { engineOptions } from '../../packages/sandbox/src/docker-runtime.js';
import { SandboxUnavailable } from '../../packages/sandbox/src/sandbox.js';
import { eventually } from '../helpers/eventually.js';
import { tcpProxy } from '../helpers/tcp-proxy.js';
import { address, collect, containers, createTestSandbox, profiles, sandbox, shellJob } from './sandbox-harness.js';

jest.setTimeout(60_000);
/** Time limit for a worker to stop. */
const STOP_MS = 15_000;

beforeAll(() => sandbox.check());
afterAll(async () => {
  await sandbox.close();
  expect(await containers()).toEqual([]);
});

describe('a worker that loses its engine', () => {
  it('takes its containers with it, and leaves nothing once the engine is back', async () => {
    const { socketPath, host, port } = engineOptions(address);
    const proxy = await tcpProxy(
      socketPath === undefined ? { host: String(host), port: Number(port) } : { path: socketPath },
    );
    const proxied = createTestSandbox({ dockerHost: `tcp://127.0.0.1:${proxy.port}` });
    const prove = (script: string, onOutput = (): void => undefined) =>
      collect(proxied, shellJob(script, undefined, profiles.prove), { onOutput });
    // A second container has finished its step and waits for removal.
    const step = prove('echo begun; sleep 20', () => void prove('true').then(() => proxy.close()));
    await expect(step).rejects.toThrow(SandboxUnavailable);

    const states = async () => (await containers()).map(({ State }) => State);
    await eventually('no container runs', async () => !(await states()).includes('running'), {
      limitMs: 5_000,
      everyMs: 100,
    });
    expect(await states()).toEqual(['exited', 'exited']);
    expect(await sandbox.removeLeftovers()).toBe(0); // their worker may still inspect them
    const left = await containers();
    await delay(10_500);
    expect(await sandbox.removeLeftovers()).toBe(2);
    const still = (await containers()).map(({ Id }) => Id);
    expect(left.filter(({ Id }) => still.includes(Id))).toEqual([]);
    // The engine is still unreachable: the final look must not repeat the retries.
    const began = Date.now();
    await proxied.close();
    expect(Date.now() - began).toBeLessThan(STOP_MS);
  });
});
