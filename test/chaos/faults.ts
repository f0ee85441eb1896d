/** Causes each fault and removes its cause. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync, statfsSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Fleet } from './fleet.js';
import type { Machine } from './machine.js';
import type { FaultName, ScheduledFault } from './schedule.js';

const STOPPED_MS = 20_000;
const BLACK_HOLE_MS = 15_000;
const ENGINE_SILENT_MS = 20_000;
const DISK_FULL_MS = 8_000;
/** Memory that a worker may still allocate after its memory is limited. */
const MEMORY_LEFT_BYTES = 4 * 1024 * 1024;

interface Scene {
  readonly machine: Machine;
  readonly fleet: Fleet;
  readonly victim: number;
}

/** Causes one fault; resolves with its target when the cause is removed. */
export async function inflict({ name, victim }: ScheduledFault, machine: Machine, fleet: Fleet): Promise<string> {
  return await ACTS[name]({ machine, fleet, victim });
}

const ACTS: Record<FaultName, (scene: Scene) => string | Promise<string>> = {
  'worker SIGKILL': (scene) => signal(scene, 'worker', 'SIGKILL'),
  'worker SIGTERM': (scene) => signal(scene, 'worker', 'SIGTERM'),
  'widget SIGKILL': (scene) => signal(scene, 'widget', 'SIGKILL'),
  'widget SIGTERM': (scene) => signal(scene, 'widget', 'SIGTERM'),
  'clock of a worker jumps': (scene) => signal(scene, 'worker', 'SIGUSR2'),
  'worker SIGSTOP for 20 s': async (scene) => {
    const child = victimOf(scene, 'worker');
    child.kill('SIGSTOP');
    await sleep(STOPPED_MS);
    child.kill('SIGCONT');
    return `worker ${child.pid}`;
  },
  'worker out of memory': async (scene) => {
    const child = victimOf(scene, 'worker');
    await boundMemory(child);
    return `worker ${child.pid}`;
  },
  'broker restart': ({ machine }) => restartBroker(machine, 'SIGTERM'),
  'broker kill -9': ({ machine }) => restartBroker(machine, 'SIGKILL'),
  'broker connections cut': ({ machine }) => {
    machine.toBroker.cut();
    return 'all';
  },
  'broker connections half open': ({ machine }) => {
    machine.toBroker.halfOpen();
    return 'all';
  },
  'broker connections black-holed for 15 s': async ({ machine }) => {
    machine.toBroker.silence();
    await sleep(BLACK_HOLE_MS);
    machine.toBroker.resume();
    return 'all';
  },
  'engine restart': async ({ machine }) => {
    await machine.engine.stop('SIGTERM');
    await machine.engine.start();
    return 'dockerd';
  },
  'engine silent for 20 s': async ({ machine }) => {
    machine.toEngine.silence();
    await sleep(ENGINE_SILENT_MS);
    machine.toEngine.resume();
    return 'all calls';
  },
  'container killed': async ({ machine, victim }) => {
    const containers = await machine.containers();
    if (containers.length === 0) return 'none was there';
    const container = containers[victim % containers.length] as (typeof containers)[number];
    return machine.engine.docker
      .getContainer(container.Id)
      .kill()
      .then(
        () => container.Names.join(),
        () => 'one that was going',
      );
  },
  'disk of the engine full for 8 s': async ({ machine }) => {
    const file = join(machine.dataFolder, 'filler');
    const { bavail, bsize } = statfsSync(machine.dataFolder);
    writeFileSync(file, '');
    for (let written = 0; written < bavail * bsize;) {
      const chunk = Buffer.alloc(4 * 1024 * 1024, 1);
      try {
        writeFileSync(file, chunk, { flag: 'a' });
      } catch {
        break;
      }
      written += chunk.length;
    }
    await sleep(DISK_FULL_MS);
    await rm(file, { force: true });
    return machine.dataFolder.split('/').at(-1) ?? '';
  },
};

function victimOf({ fleet, victim }: Scene, app: 'widget' | 'worker'): ChildProcess {
  const members = fleet.members.filter((member) => member.app === app);
  return (members[victim % members.length] as (typeof members)[number]).child;
}

function signal(scene: Scene, app: 'widget' | 'worker', name: NodeJS.Signals): string {
  const child = victimOf(scene, app);
  child.kill(name);
  return `${app} ${child.pid}`;
}

async function restartBroker({ broker }: Machine, name: 'SIGTERM' | 'SIGKILL'): Promise<string> {
  await broker.stop(name);
  await broker.start();
  return 'the broker';
}

/** Puts the process into a cgroup whose limit it soon reaches; the kernel kills it there. */
async function boundMemory(child: ChildProcess): Promise<void> {
  const { group, limit } = memoryGroup(`code-widgets-chaos-${child.pid}`);
  mkdirSync(group);
  writeFileSync(join(group, limit), String(MEMORY_LEFT_BYTES));
  writeFileSync(join(group, 'cgroup.procs'), String(child.pid));
  for (let i = 0; i < 100 && child.exitCode === null && child.signalCode === null; i++) await sleep(100);
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  for (let i = 0; i < 50 && readdirSync(group).length > 0; i++) {
    await sleep(100);
    try {
      rmdirSync(group);
      return;
    } catch {
      continue; // Its last process is still ending.
    }
  }
}

function memoryGroup(name: string): { group: string; limit: string } {
  const first = '/sys/fs/cgroup/memory';
  return existsSync(first)
    ? { group: join(first, name), limit: 'memory.limit_in_bytes' }
    : { group: join('/sys/fs/cgroup', name), limit: 'memory.max' };
}
