/** Each observer of an attack's effects must detect a sample effect. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { rmSync, mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import Docker from 'dockerode';

import { environment } from '../helpers/environment.js';
import { newNamespace } from '../helpers/namespace.js';
import { ProcessWatch } from './lib/process-watch.js';
import { setTraps, type Traps } from './lib/traps.js';
import { hostFilesWith } from './lib/world.js';

const token = `t${randomBytes(6).toString('hex')}`;

describe('the process watch', () => {
  const watch = new ProcessWatch();
  const docker = new Docker();
  const started: Docker.Container[] = [];
  afterEach(() => Promise.all(started.splice(0).map((container) => container.remove({ force: true }))));
  afterAll(() => watch.close());

  /** Runs a shell line in a container without the service's protections, under the runtime under test by default. */
  const start = async (line: string, options: Docker.ContainerCreateOptions = {}) => {
    const container = await docker.createContainer({
      Image: environment('SANDBOX_IMAGE'),
      Labels: { 'code-widgets.namespace': newNamespace('o') },
      Entrypoint: ['sh', '-c', line, token],
      NetworkDisabled: true,
      ...options,
      HostConfig: {
        ...(process.env.SANDBOX_RUNTIME && { Runtime: process.env.SANDBOX_RUNTIME }),
        ...options.HostConfig,
      },
    });
    started.push(container);
    await container.start();
    await sleep(400);
    return container;
  };

  it('reports a container with processes on the host', async () => {
    const { id } = await start('sleep 5');
    expect(watch.stillIn(new Set([id]))).not.toEqual([]);
  });

  /** Under gVisor the host sees no processes of a program, so these tests use runc. */
  const runc = { HostConfig: { Runtime: 'runc' } };

  const itAsRoot = process.getuid?.() === 0 ? it : it.skip; // Only root sees other users' programs; main.ts notes it.

  itAsRoot('reports a second process in a container, with its user and container', async () => {
    const { id } = await start('sleep 5 & sleep 5', runc);
    expect(watch.faultsOf(token)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/processes in one container/),
        'a process of user 0',
        expect.stringMatching(/with capabilities/),
      ]),
    );
    expect(watch.stillIn(new Set([id]))).not.toEqual([]);
    expect(watch.strangers(new Set([id])).join()).toContain('sleep');
  });

  itAsRoot('reports a process in its own namespace', async () => {
    await start('unshare -n sleep 5; sleep 5', {
      HostConfig: { ...runc.HostConfig, CapAdd: ['SYS_ADMIN'], SecurityOpt: ['seccomp=unconfined'] },
    });
    expect(watch.faultsOf(token)).toContain('a namespace of its own (net)');
  });

  it('reports a process with raised priority', async () => {
    const { id } = await start('nice -n -5 sleep 5; sleep 5', {
      HostConfig: { ...runc.HostConfig, CapAdd: ['SYS_NICE'] },
    });
    expect(watch.privileged(new Set([id])).join()).toMatch(/nice value of -\d+/);
  });
});

describe('a trap for connections', () => {
  let folder: string;
  let traps: Traps;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), `code-widgets-${process.env.RUN_ID ?? 'attacks'}-`));
    traps = await setTraps(folder, token);
  });
  afterAll(() => {
    traps.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('counts a connection and a packet at each of its addresses', async () => {
    for (const host of traps.addresses) {
      await once(connect(traps.port, host).resume(), 'close');
      const sender = createSocket('udp4');
      await new Promise((resolve) => sender.send(token, traps.port, host, resolve));
      sender.close();
    }
    for (const path of [`\0${traps.abstractName}`, traps.socketPath]) await once(connect(path).resume(), 'close');
    await sleep(50);
    expect(traps.visits.toSorted()).toEqual(
      [
        'abstract socket',
        'socket file',
        ...traps.addresses.flatMap((host) => [`tcp ${host}`, `udp ${host}: ${token}`]),
      ].toSorted(),
    );
  });
});

it('a file on the host is detected', () => {
  expect(hostFilesWith(token)).toEqual([]);
  const path = join('/tmp', `x-${token}`);
  writeFileSync(path, '');
  try {
    expect(hostFilesWith(token)).toEqual([`on the host: ${path}`]);
  } finally {
    rmSync(path);
  }
});
