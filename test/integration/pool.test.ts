/** Containers made ahead, on the real engine: each is given out once, and only as it was made. */
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { IdleGate } from '../../packages/sandbox/src/idle-gate.js';
import { waitingShape, type ContainerShape } from '../../packages/sandbox/src/container-options.js';
import type { StepContainer } from '../../packages/sandbox/src/container.js';
import { Images } from '../../packages/sandbox/src/images.js';
import type { StepKind } from '../../packages/sandbox/src/launcher-request.js';
import { CONTAINER_LIMITS } from '../../packages/sandbox/src/limits.js';
import { Pool } from '../../packages/sandbox/src/pool.js';
import { Removals } from '../../packages/sandbox/src/removals.js';
import type { Sandbox } from '../../packages/sandbox/src/sandbox.js';
import { collect, containers, contextOfTests, createTestSandbox, docker, warnings } from './sandbox-harness.js';

jest.setTimeout(60_000);
const STEP_MS = 20_000;
/** From a container that runs to a launcher that has said so, on a slow machine. */
const READY_MS = 2_000;
const shapesFor = (waitMs?: number) => {
  const shape = (kind: StepKind) => waitingShape(kind, STEP_MS, CONTAINER_LIMITS, waitMs);
  return { build: shape('build'), run: shape('run'), prove: shape('prove') };
};
const shapes = shapesFor();
const idle = new IdleGate();
const images = new Images(docker, contextOfTests.images);
const removals = new Removals(docker, idle, { warn: (_, message) => warnings.push(message) });

let open: { close: () => Promise<void> }[] = [];
const keep = <T extends { close: () => Promise<void> }>(each: T): T => (open.push(each), each);
afterEach(async () => {
  for (const each of open) await each.close();
  open = [];
  await removals.settled();
  expect(await containers()).toEqual([]);
});

const newPool = ({ waitMs, known = images, ...more }: { most?: number; waitMs?: number; reviewMs?: number; known?: Images } = {}) =>
  keep(new Pool({ docker, context: contextOfTests, images: known, removals, idle }, { most: 4, shapes: shapesFor(waitMs), ...more }));
const ids = { build: '', run: '', prove: '' };
beforeAll(async () => {
  for (const kind of ['build', 'run', 'prove'] as const) ids[kind] = await images.current(kind);
});
const take = (pool: Pool, shape: ContainerShape) => pool.take(shape, ids[shape.kind]);
const newSandbox = (preparedContainers = 4) => keep(createTestSandbox(undefined, undefined, { preparedContainers }));

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + 30_000; !(await holds()); await sleep(50)) if (Date.now() > deadline) throw new Error(`never ${what}`);
}
const running = async () => (await containers()).filter(({ State }) => State === 'running').map(({ Id }) => Id);
const untilWaiting = (count: number) => until(async () => (await running()).length === count, `${count} containers`);
/** The id of the container that a step ran in. */
const whereItRan = async (sandbox: Sandbox) =>
  (await collect((options) => sandbox.build({ command: ['sh', '-c', 'cat /etc/hostname'], files: [] }, options))).stdout.trim();

describe('a pool of containers', () => {
  it('has one that builds and one that runs from the start, and gives one in no time', async () => {
    const pool = newPool();
    await untilWaiting(2);
    const waiting = (await containers()).map(({ Image }) => Image);
    expect(new Set(waiting)).toEqual(new Set([contextOfTests.images.build, contextOfTests.images.run]));
    let container: StepContainer | undefined;
    await until(() => Promise.resolve((container = take(pool, shapes.run)) !== undefined), 'given');
    container?.dispose();
  });

  it('gives a step the one that waited, and makes another for the next', async () => {
    const sandbox = newSandbox();
    await untilWaiting(2);
    await sleep(READY_MS);
    const waiting = await running();
    const id = await whereItRan(sandbox);
    expect(waiting.some((each) => each.startsWith(id))).toBe(true);
    await until(async () => {
      const now = await running();
      return now.length === 2 && now.every((each) => !each.startsWith(id));
    }, 'made anew');
  });

  it('never gives one twice, however many ask', async () => {
    const sandbox = newSandbox();
    const ids: string[] = [];
    const one = async () => {
      for (let i = 0; i < 6; i++) ids.push(await whereItRan(sandbox));
    };
    await Promise.all([one(), one(), one(), one()]);
    expect(new Set(ids).size).toBe(24);
  });

  it('gives no two steps the same, asked in the same moment', async () => {
    const pool = newPool();
    await untilWaiting(2);
    await sleep(READY_MS);
    const taken = [take(pool, shapes.build), take(pool, shapes.build)];
    expect(taken.filter(Boolean)).toHaveLength(1);
    for (const each of taken) each?.dispose();
  });

  it('has more waiting once they were missing, up to a bound', async () => {
    const pool = newPool({ most: 3 });
    await untilWaiting(2);
    for (let i = 0; i < 6; i++) take(pool, shapes.prove)?.dispose();
    await untilWaiting(5);
    await sleep(1000);
    expect(await running()).toHaveLength(5);
  });

  it('does not give one with another amount of space, or for a longer step', async () => {
    const pool = newPool();
    await untilWaiting(2);
    await sleep(READY_MS);
    expect(take(pool, { ...shapes.run, workspaceBytes: shapes.run.workspaceBytes + 4096 })).toBeUndefined();
    expect(take(pool, { ...shapes.run, stepMs: STEP_MS + 1 })).toBeUndefined();
    const fits = take(pool, { ...shapes.run, stepMs: STEP_MS - 1, waitMs: 0 });
    expect(fits).toBeDefined();
    fits?.dispose();
  });

  it('throws away one of another image than is wanted, and makes others in its place', async () => {
    const pool = newPool();
    await untilWaiting(2);
    await sleep(READY_MS);
    const before = await running();
    expect(pool.take(shapes.build, ids.run)).toBeUndefined();
    await until(async () => (await running()).filter((id) => !before.includes(id)).length === 2, 'made anew');
    await until(async () => (await running()).filter((id) => before.includes(id)).length === 1, 'thrown away');
  });
});

describe('a container that waits', () => {
  const harms: [string, (id: string) => Promise<unknown>][] = [
    ['was killed', (id) => docker.getContainer(id).kill()],
    ['was removed', (id) => docker.getContainer(id).remove({ force: true })],
    ['was told something by somebody else', async (id) => {
      const stream = (await docker.getContainer(id).attach({ stream: true, hijack: true, stdin: true })) as Duplex;
      stream.end('nonsense', () => setTimeout(() => stream.destroy(), 500).unref());
    }],
  ];
  it.each(harms)('and %s is not given out', async (_, harm) => {
    const sandbox = newSandbox();
    await untilWaiting(2);
    await sleep(READY_MS);
    const before = await running();
    await Promise.all(before.map(harm));
    await until(async () => (await running()).every((id) => !before.includes(id)), 'gone');
    const id = await whereItRan(sandbox);
    expect(before.some((each) => each.startsWith(id))).toBe(false);
  });

  const touches: [string, (id: string) => Promise<unknown>][] = [
    ['was paused', (id) => docker.getContainer(id).pause()],
    ['was entered', async (id) => {
      // It waits as long as its stdin is open.
      const exec = await docker.getContainer(id).exec({ Cmd: ['/usr/libexec/code-widgets/launcher'], AttachStdin: true });
      const stream = await exec.start({ hijack: true, stdin: true });
      stream.resume();
      setTimeout(() => stream.destroy(), 2000);
    }],
  ];
  it.each(touches)('and %s is thrown away at the next look', async (_, touch) => {
    newPool({ reviewMs: 200 });
    await untilWaiting(2);
    const before = await running();
    await touch(before[0] as string);
    await until(async () => (await containers()).every(({ Id }) => Id !== before[0]), 'thrown away');
    await untilWaiting(2);
    expect(await running()).toContain(before[1]);
  });

  it('and is of another image than its name was known for is thrown away at the next look', async () => {
    const { build, run } = contextOfTests.images;
    newPool({ reviewMs: 200, known: new Images(docker, { build: run, run: build, prove: build }) });
    let before: string[] = [];
    await until(async () => (before = await running()).length > 0, 'made');
    await until(async () => !(await running()).some((id) => before.includes(id)), 'thrown away');
  });

  it('and has waited too long makes room for another', async () => {
    newPool({ waitMs: 1500, reviewMs: 200 });
    await untilWaiting(2);
    const before = await running();
    await until(async () => {
      const now = await running();
      return now.length === 2 && before.every((id) => !now.includes(id));
    }, 'made anew');
  });

  it('ends when its worker does, even if it cannot tell', async () => {
    const pool = newPool();
    await untilWaiting(2);
    await sleep(READY_MS);
    const [build, run] = [take(pool, shapes.build), take(pool, shapes.run)];
    for (const each of [build, run]) each?.stream.destroy();
    await until(async () => (await containers()).filter(({ State }) => State === 'exited').length === 2, 'ended');
    for (const each of [build, run]) each?.dispose();
  });
});
