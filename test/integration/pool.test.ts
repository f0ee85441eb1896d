/** The warm pool with the real engine: each container is leased once, and only in its original state. */
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { StepKind } from '../../apps/worker/src/step-table.js';
import { warmSpec, type ContainerSpec } from '../../packages/sandbox/src/container-options.js';
import { createDockerRuntime } from '../../packages/sandbox/src/docker-runtime.js';
import { IdleGate } from '../../packages/sandbox/src/idle-gate.js';
import { Images } from '../../packages/sandbox/src/images.js';
import { Removals } from '../../packages/sandbox/src/removals.js';
import type { Sandbox } from '../../packages/sandbox/src/sandbox.js';
import { WarmPool } from '../../packages/sandbox/src/warm-pool.js';
import { eventually } from '../helpers/eventually.js';
import {
  address,
  collect,
  confining,
  containers,
  createTestSandbox,
  docker,
  profiles,
  shellJob,
  warnings,
} from './sandbox-harness.js';

jest.setTimeout(60_000);
const PATIENT = { limitMs: 30_000 };
/** Time for a launcher to report that it is ready, on a slow machine. */
const READY_MS = 2_000;
const specsFor = (waitMs?: number): Record<StepKind, ContainerSpec> => {
  const { build, run, prove } = profiles;
  return { build: warmSpec(build, waitMs), run: warmSpec(run, waitMs), prove: warmSpec(prove, waitMs) };
};
const specs = specsFor();
const runtime = createDockerRuntime(address);
const idle = new IdleGate();
const images = new Images(runtime);
const removals = new Removals(runtime, idle, { warn: (_, message) => warnings.push(message) });

let open: { close: () => Promise<void> }[] = [];
const keep = <T extends { close: () => Promise<void> }>(each: T): T => (open.push(each), each);
afterEach(async () => {
  for (const each of open) await each.close();
  open = [];
  await removals.settled();
  expect(await containers()).toEqual([]);
});

const newPool = ({
  waitMs,
  known = images,
  maxWarm = 4,
  reviewMs,
}: { maxWarm?: number; waitMs?: number; reviewMs?: number; known?: Images } = {}) => {
  const options = { maxWarm, specs: Object.values(specsFor(waitMs)), ...(reviewMs !== undefined && { reviewMs }) };
  return keep(new WarmPool({ runtime, confining, images: known, removals, idle }, options));
};
const ids = { build: '', run: '' };
beforeAll(async () => {
  for (const kind of ['build', 'run'] as const) ids[kind] = await images.current(profiles[kind].image);
});
const lease = (pool: WarmPool, spec: ContainerSpec) =>
  pool.lease(spec, spec.profile === profiles.run ? ids.run : ids.build);
const newSandbox = (maxWarm = 4) => keep(createTestSandbox(undefined, undefined, { maxWarm }));

const running = async () => (await containers()).filter(({ State }) => State === 'running').map(({ Id }) => Id);
const untilWaiting = (count: number) =>
  eventually(`${count} containers wait`, async () => (await running()).length === count, PATIENT);
/** The id of the container that runs a job. */
const whereItRan = async (sandbox: Sandbox) => (await collect(sandbox, shellJob('cat /etc/hostname'))).stdout.trim();

describe('a pool of containers', () => {
  it('starts with one build container and one run container, and leases one at once', async () => {
    const pool = newPool();
    await untilWaiting(2);
    const waiting = (await containers()).map(({ Image }) => Image);
    expect(new Set(waiting)).toEqual(new Set([profiles.build.image, profiles.run.image]));
    const container = await eventually('a container is leased', () => lease(pool, specs.run), PATIENT);
    container.discard();
  });

  it('leases a warm container to a step and creates another', async () => {
    const sandbox = newSandbox();
    await untilWaiting(2);
    await sleep(READY_MS);
    const waiting = await running();
    const id = await whereItRan(sandbox);
    expect(waiting.some((each) => each.startsWith(id))).toBe(true);
    await eventually(
      'another is made in its place',
      async () => {
        const now = await running();
        return now.length === 2 && now.every((each) => !each.startsWith(id));
      },
      PATIENT,
    );
  });

  it('never leases a container twice, with many concurrent steps', async () => {
    const sandbox = newSandbox();
    const ids: string[] = [];
    const one = async () => {
      for (let i = 0; i < 6; i++) ids.push(await whereItRan(sandbox));
    };
    await Promise.all([one(), one(), one(), one()]);
    expect(new Set(ids).size).toBe(24);
  });

  it('leases different containers to two simultaneous steps', async () => {
    const pool = newPool();
    await untilWaiting(2);
    await sleep(READY_MS);
    const leased = [lease(pool, specs.build), lease(pool, specs.build)];
    expect(leased.filter(Boolean)).toHaveLength(1);
    for (const each of leased) each?.discard();
  });

  it('grows after misses, up to its limit', async () => {
    const pool = newPool({ maxWarm: 3 });
    await untilWaiting(2);
    for (let i = 0; i < 6; i++) lease(pool, specs.prove)?.discard();
    await untilWaiting(5);
    await sleep(1000);
    expect(await running()).toHaveLength(5);
  });

  it('leases no container with another size or a shorter lifetime', async () => {
    const pool = newPool();
    await untilWaiting(2);
    await sleep(READY_MS);
    expect(lease(pool, { ...specs.run, workspaceBytes: specs.run.workspaceBytes + 4096 })).toBeUndefined();
    expect(lease(pool, { ...specs.run, jobMs: profiles.run.longestJobMs + 1 })).toBeUndefined();
    const fits = lease(pool, { ...specs.run, jobMs: profiles.run.longestJobMs - 1, waitMs: 0 });
    expect(fits).toBeDefined();
    fits?.discard();
  });

  it('discards containers of an outdated image and creates others', async () => {
    const pool = newPool();
    await untilWaiting(2);
    await sleep(READY_MS);
    const before = await running();
    expect(pool.lease(specs.build, ids.run)).toBeUndefined();
    await eventually(
      'two others are made',
      async () => (await running()).filter((id) => !before.includes(id)).length === 2,
      PATIENT,
    );
    await eventually(
      'one is thrown away',
      async () => (await running()).filter((id) => before.includes(id)).length === 1,
      PATIENT,
    );
  });
});

describe('a warm container', () => {
  const harms: [string, (id: string) => Promise<unknown>][] = [
    ['was killed', (id) => docker.getContainer(id).kill()],
    ['was removed', (id) => docker.getContainer(id).remove({ force: true })],
    [
      'received input from another client',
      async (id) => {
        const stream = (await docker.getContainer(id).attach({ stream: true, hijack: true, stdin: true })) as Duplex;
        stream.end('nonsense', () => setTimeout(() => stream.destroy(), 500).unref());
      },
    ],
  ];
  it.each(harms)('that %s is not leased', async (_, harm) => {
    const sandbox = newSandbox();
    await untilWaiting(2);
    await sleep(READY_MS);
    const before = await running();
    await Promise.all(before.map(harm));
    await eventually(
      'those that waited are gone',
      async () => (await running()).every((id) => !before.includes(id)),
      PATIENT,
    );
    const id = await whereItRan(sandbox);
    expect(before.some((each) => each.startsWith(id))).toBe(false);
  });

  const touches: [string, (id: string) => Promise<unknown>][] = [
    ['was paused', (id) => docker.getContainer(id).pause()],
    [
      'was entered with exec',
      async (id) => {
        // The exec lasts as long as its stdin is open.
        const exec = await docker
          .getContainer(id)
          .exec({ Cmd: ['/usr/libexec/code-widgets/launcher'], AttachStdin: true });
        const stream = await exec.start({ hijack: true, stdin: true });
        stream.resume();
        setTimeout(() => stream.destroy(), 2000);
      },
    ],
  ];
  it.each(touches)('that %s is discarded at the next review', async (_, touch) => {
    newPool({ reviewMs: 200 });
    await untilWaiting(2);
    const before = await running();
    await touch(before[0] as string);
    await eventually(
      'it is thrown away',
      async () => (await containers()).every(({ Id }) => Id !== before[0]),
      PATIENT,
    );
    await untilWaiting(2);
    expect(await running()).toContain(before[1]);
  });

  it('that has another image than its name stands for is discarded at the next review', async () => {
    const { build, run } = profiles;
    const other = (name: string) => runtime.imageId(name === build.image ? run.image : build.image);
    newPool({ reviewMs: 200, known: new Images({ imageId: other }) });
    const before = await eventually(
      'a container waits',
      async () => {
        const now = await running();
        return now.length > 0 && now;
      },
      PATIENT,
    );
    await eventually('it is thrown away', async () => !(await running()).some((id) => before.includes(id)), PATIENT);
  });

  it('that has waited too long is replaced', async () => {
    newPool({ waitMs: 1500, reviewMs: 200 });
    await untilWaiting(2);
    const before = await running();
    await eventually(
      'others are made in their place',
      async () => {
        const now = await running();
        return now.length === 2 && before.every((id) => !now.includes(id));
      },
      PATIENT,
    );
  });

  it('ends when its connection to the worker closes', async () => {
    const pool = newPool();
    await untilWaiting(2);
    await sleep(READY_MS);
    const [build, run] = [lease(pool, specs.build), lease(pool, specs.run)];
    for (const each of [build, run]) each?.stream.destroy();
    await eventually(
      'both have ended',
      async () => (await containers()).filter(({ State }) => State === 'exited').length === 2,
      PATIENT,
    );
    for (const each of [build, run]) each?.discard();
  });
});
