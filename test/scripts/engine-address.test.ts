import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { engineAddress } from '../../scripts/lib/engine-address.js';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'engine-address-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const id = (context: string) => createHash('sha256').update(context).digest('hex');
/** Stores a context in the format of Docker's client. */
function writeContext(context: string, host: string): void {
  const folder = join(home, '.docker', 'contexts', 'meta', id(context));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'meta.json'), JSON.stringify({ Name: context, Endpoints: { docker: { Host: host } } }));
}
function choose(context: string): void {
  mkdirSync(join(home, '.docker'), { recursive: true });
  writeFileSync(join(home, '.docker', 'config.json'), JSON.stringify({ currentContext: context }));
}

describe('the engine address of the commands', () => {
  it('is DOCKER_HOST before any context', () => {
    writeContext('other', 'tcp://192.0.2.1:2375');
    choose('other');
    expect(engineAddress({ DOCKER_HOST: 'tcp://192.0.2.2:2375' }, home)).toEqual({
      DOCKER_HOST: 'tcp://192.0.2.2:2375',
    });
  });

  it("is that of the current context of Docker's client", () => {
    writeContext('desktop-linux', 'unix:///home/reader/.docker/run/docker.sock');
    choose('desktop-linux');
    expect(engineAddress({}, home)).toEqual({ DOCKER_HOST: 'unix:///home/reader/.docker/run/docker.sock' });
  });

  it('is that of DOCKER_CONTEXT before the current one, with its certificates', () => {
    writeContext('far', 'tcp://192.0.2.1:2376');
    choose('default');
    const certificates = join(home, '.docker', 'contexts', 'tls', id('far'), 'docker');
    mkdirSync(certificates, { recursive: true });
    expect(engineAddress({ DOCKER_CONTEXT: 'far' }, home)).toEqual({
      DOCKER_HOST: 'tcp://192.0.2.1:2376',
      DOCKER_TLS_VERIFY: '1',
      DOCKER_CERT_PATH: certificates,
    });
  });

  it('is the usual socket without a context, or that of Docker Desktop or a rootless engine if it exists', () => {
    expect(engineAddress({}, home).DOCKER_HOST).toMatch(/^unix:\/\/.*docker\.sock$/);
  });

  it.each([
    ['a missing context', { DOCKER_CONTEXT: 'gone' }, /There is no Docker context "gone"/],
    [
      'an address that needs an ssh client',
      { DOCKER_HOST: 'ssh://somewhere' },
      /set DOCKER_HOST to an address that begins with/,
    ],
  ])('cannot be found by %s, and the error suggests a fix', (_, env, words) => {
    expect(() => engineAddress(env, home)).toThrow(words);
  });
});
