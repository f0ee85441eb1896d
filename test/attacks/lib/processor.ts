/** Measures the processor share of containers by the host's kernel, since a program's own clocks may be manipulated. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import type { World } from './world.js';

const SPAN_MS = 1000;

/** The maximum number of processors that a container used over a second during `work`. */
export async function largestShare(world: World, work: Promise<unknown>): Promise<number> {
  let working = true;
  const ended = work.finally(() => (working = false));
  ended.catch(() => undefined);
  let largest = 0;
  for (let before = usages(world); working;) {
    await sleep(SPAN_MS);
    const now = usages(world);
    for (const [id, { ns, at }] of now) {
      const earlier = before.get(id);
      if (earlier) largest = Math.max(largest, (ns - earlier.ns) / (at - earlier.at) / 1e6);
    }
    before = now;
  }
  await ended;
  return largest;
}

/** Processor time in ns of each existing container, and the time of the reading in ms. */
function usages({ containers }: World): Map<string, { ns: number; at: number }> {
  return new Map(
    [...containers].flatMap((id) => {
      const ns = usageOf(id);
      return ns === undefined ? [] : [[id, { ns, at: performance.now() }] as const];
    }),
  );
}

/** Reads cgroup v1 or v2, with either cgroup driver of the engine. */
function usageOf(id: string): number | undefined {
  const groups = [`docker/${id}`, `system.slice/docker-${id}.scope`];
  for (const group of groups) {
    const first = read(`/sys/fs/cgroup/cpuacct/${group}/cpuacct.usage`);
    if (first !== undefined) return Number(first);
    const second = /usage_usec (\d+)/.exec(read(`/sys/fs/cgroup/${group}/cpu.stat`) ?? '')?.[1];
    if (second !== undefined) return Number(second) * 1000;
  }
  return undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // The cgroup does not exist.
  }
}
