/** What looks for an attack's effect must see it where it is: each observer is shown one. */
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

describe('the watch over processes', () => {
  const watch = new ProcessWatch();
  const docker = new Docker();
  const started: Docker.Container[] = [];
  afterEach(() => Promise.all(started.splice(0).map((container) => container.remove({ force: true }))));
  afterAll(() => watch.close());

  /**
   * A shell line in a container without any of the service's defences, under the runtime that is tested if it
   * names no other.
   */
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

  it('sees that a container has processes on the host', async () => {
    const { id } = await start('sleep 5');
    expect(watch.stillIn(new Set([id]))).not.toEqual([]);
  });

  /** Whose processes are the host's: under gVisor it sees none of a program's. */
  const runc = { HostConfig: { Runtime: 'runc' } };

  // Only root sees programs and namespaces of other users; scripts/test.ts says so at the end.
  const itAsRoot = process.getuid?.() === 0 ? it : it.skip;

  itAsRoot('sees a second process in a container, its user, and which container it is in', async () => {
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

  itAsRoot('sees a process in a namespace of its own', async () => {
    await start('unshare -n sleep 5; sleep 5', {
      HostConfig: { ...runc.HostConfig, CapAdd: ['SYS_ADMIN'], SecurityOpt: ['seccomp=unconfined'] },
    });
    expect(watch.faultsOf(token)).toContain('a namespace of its own (net)');
  });

  it('sees a process that goes before others', async () => {
    const { id } = await start('nice -n -5 sleep 5; sleep 5', {
      HostConfig: { ...runc.HostConfig, CapAdd: ['SYS_NICE'] },
    });
    expect(watch.privileged(new Set([id])).join()).toMatch(/nice value of -\d+/);
  });
});

describe('a trap', () => {
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

  it('counts a connection and a packet, at each of its addresses', async () => {
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

it('a file on the host is seen', () => {
  expect(hostFilesWith(token)).toEqual([]);
  const path = join('/tmp', `x-${token}`);
  writeFileSync(path, '');
  try {
    expect(hostFilesWith(token)).toEqual([`on the host: ${path}`]);
  } finally {
    rmSync(path);
  }
});
