/**
 * How much of the processors a container gets, counted by the host's kernel: a program's own clocks may be
 * another's.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import type { World } from './world.js';

const SPAN_MS = 1000;

/** The most processors that any container got over a second, while `work` went on. */
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

/** Of those that are there: processor time in ns, and when that was read, in ms. */
function usages({ containers }: World): Map<string, { ns: number; at: number }> {
  return new Map(
    [...containers].flatMap((id) => {
      const ns = usageOf(id);
      return ns === undefined ? [] : [[id, { ns, at: performance.now() }] as const];
    }),
  );
}

/** By the first version of control groups or the second, with either of the engine's drivers. */
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
    return undefined; // There is no such group, or not any more.
  }
}
