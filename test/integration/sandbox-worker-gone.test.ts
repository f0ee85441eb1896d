import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { engineOptions } from '../../packages/sandbox/src/engine.js';
import { SandboxUnavailable } from '../../packages/sandbox/src/sandbox.js';
import { address, collect, containers, createTestSandbox, sandbox } from './sandbox-harness.js';

jest.setTimeout(60_000);
/** In which a worker has to be gone that is told to stop. */
const STOP_MS = 15_000;

beforeAll(() => sandbox.check());
afterAll(async () => {
  await sandbox.close();
  expect(await containers()).toEqual([]);
});

describe('a worker that is gone', () => {
  it('takes its containers with it, and nothing is left once the engine is back', async () => {
    const { socketPath, host, port } = engineOptions(address);
    const sockets: Socket[] = [];
    const engine = () => (socketPath === undefined ? connect(Number(port), String(host)) : connect(String(socketPath)));
    const proxy = createServer((client) => {
      const server = engine();
      for (const socket of [client, server]) sockets.push(socket.on('error', () => undefined));
      client.pipe(server).pipe(client);
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    const bound = proxy.address();
    const proxied = createTestSandbox({ dockerHost: `tcp://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}` });

    const cut = () => {
      proxy.close();
      sockets.forEach((socket) => socket.destroy());
    };
    const prove = (script: string, onOutput = (): void => undefined) =>
      collect((options) => proxied.prove({ command: ['sh', '-c', script], files: [] }, options), { onOutput });
    // Beside one whose step is over, and that waits for its removal.
    const step = prove('echo begun; sleep 20', () => void prove('true').then(cut));
    await expect(step).rejects.toThrow(SandboxUnavailable);

    const states = async () => (await containers()).map(({ State }) => State);
    for (let tries = 0; tries < 50 && (await states()).includes('running'); tries++) await delay(100);
    expect(await states()).toEqual(['exited', 'exited']);
    expect(await sandbox.removeLeftovers()).toBe(0); // their worker might still want to look at them
    const left = await containers();
    await delay(10_500);
    expect(await sandbox.removeLeftovers()).toBe(2);
    const still = (await containers()).map(({ Id }) => Id);
    expect(left.filter(({ Id }) => still.includes(Id))).toEqual([]);
    // The engine is still out of reach of it: its one look more must not take the retries again.
    const began = Date.now();
    await proxied.close();
    expect(Date.now() - began).toBeLessThan(STOP_MS);
  });
});
