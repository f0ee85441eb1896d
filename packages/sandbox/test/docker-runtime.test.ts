import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { engineCall, engineOptions } from '../src/docker-runtime.js';
import { EngineRefused, SandboxUnavailable } from '../src/runtime.js';

describe("the engine's address", () => {
  let certificates = '';

  beforeAll(async () => {
    certificates = await mkdtemp(join(tmpdir(), 'certificates-'));
    for (const name of ['ca', 'cert', 'key']) await writeFile(join(certificates, `${name}.pem`), name);
  });
  afterAll(() => rm(certificates, { recursive: true }));

  it('defaults to the usual socket', () => {
    expect(engineOptions({})).toMatchObject({ socketPath: '/var/run/docker.sock', protocol: 'http' });
    expect(engineOptions({ dockerHost: 'unix:///run/user/1/docker.sock' })).toMatchObject({
      socketPath: '/run/user/1/docker.sock',
    });
  });

  it.each([
    ['tcp://engine:1234', 'http', 1234],
    ['tcp://engine', 'http', 2375],
    ['http://engine:80', 'http', 80],
    ['https://engine', 'https', 2376],
  ])('may be %s', (dockerHost, protocol, port) => {
    expect(engineOptions({ dockerHost })).toMatchObject({ host: 'engine', protocol, port });
  });

  it('uses TLS if there are certificates', () => {
    const options = engineOptions({ dockerHost: 'tcp://engine', dockerCertPath: certificates });
    expect(options).toMatchObject({ protocol: 'https', port: 2376 });
    expect([options.ca, options.cert, options.key].map(String)).toEqual(['ca', 'cert', 'key']);
  });

  it.each(['', 'nonsense', 'ssh://me@engine', 'npipe:////./pipe/docker'])('may not be %j', (dockerHost) => {
    expect(() => engineOptions({ dockerHost })).toThrow(RangeError);
  });

  it('does not depend on environment variables', () => {
    expect(Object.keys(engineOptions({}))).toEqual(
      expect.arrayContaining(['host', 'socketPath', 'protocol', 'ca', 'cert', 'key']),
    );
  });
});

describe('a call to the engine', () => {
  it('rejects with SandboxUnavailable and its cause if it fails', async () => {
    const refusal = Object.assign(new Error('no such image'), { statusCode: 404 });
    const error: unknown = await engineCall('find it', () => Promise.reject(refusal)).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(SandboxUnavailable);
    expect(error).toMatchObject({
      name: 'SandboxUnavailable',
      message: 'Docker could not find it: Error: no such image',
      cause: refusal,
    });
    expect(error).toBeInstanceOf(EngineRefused);
    expect(error).toMatchObject({ status: 404 });
  });

  it('without a response does not count as a refusal', async () => {
    const error: unknown = await engineCall('find it', () => Promise.reject(new Error('ECONNREFUSED'))).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(SandboxUnavailable);
    expect(error).not.toBeInstanceOf(EngineRefused);
  });

  it("rejects with the signal's reason on an abort, even if the call ignores the signal", async () => {
    const controller = new AbortController();
    const call = engineCall('wait', () => new Promise(() => undefined), controller.signal);
    controller.abort(new Error('task over'));
    await expect(call).rejects.toThrow('task over');
  });

  it('is released once it has ended, even if the signal lives on', async () => {
    setFlagsFromString('--expose-gc');
    const collectMemory = runInNewContext('gc') as () => void;
    const { signal } = new AbortController();
    const answers: WeakRef<object>[] = [];
    for (let i = 0; i < 20; i++) {
      const answer = { of: i };
      answers.push(new WeakRef(answer));
      await engineCall('answer', (given) => Promise.resolve({ answer, given }), signal);
    }
    for (let i = 0; i < 2; i++) {
      await sleep(10);
      collectMemory();
    }
    // The last response may still be on the stack.
    expect(answers.filter((each) => each.deref() !== undefined).length).toBeLessThan(2);
    expect(signal.aborted).toBe(false);
  });
});
