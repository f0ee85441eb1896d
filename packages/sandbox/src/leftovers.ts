/** Containers that no worker will remove any more, since theirs has died. */
import type Docker from 'dockerode';
import { LIFETIME_LABEL, NAMESPACE_LABEL } from './container-options.js';
import { engineCall, httpStatus } from './engine.js';
import { EXITED_GRACE_MS } from './limits.js';

/** What a container's age is measured with: the engine's clock, since it wrote the age down. */
async function engineTimeMs(docker: Docker): Promise<number> {
  const info: unknown = await engineCall('say its time', () => docker.info());
  const time = typeof info === 'object' && info !== null && 'SystemTime' in info ? Date.parse(String(info.SystemTime)) : NaN;
  // A container that is too young by a wrong clock is kept, which is the harmless mistake.
  return Number.isNaN(time) ? Date.now() : time;
}

/** Whether it ended long enough ago for its worker to have had its look at it. */
async function endedBefore(docker: Docker, id: string, timeMs: number): Promise<boolean> {
  try {
    const container = docker.getContainer(id);
    const { State } = await engineCall('inspect a container', (abortSignal) => container.inspect({ abortSignal }));
    return !State.Running && Date.parse(State.FinishedAt) < timeMs;
  } catch (error) {
    if (httpStatus(error instanceof Error ? error.cause : undefined) === 404) return false;
    throw error;
  }
}

/**
 * The ids of this namespace's leftovers. No worker need be asked: each container bears the longest
 * that its step may take, and one whose worker dies ends by itself (its launcher sees to that).
 * @throws {SandboxUnavailable} when the engine does not answer.
 */
export async function findLeftovers(docker: Docker, namespace: string): Promise<string[]> {
  const nowMs = await engineTimeMs(docker);
  const filters = { label: [`${NAMESPACE_LABEL}=${namespace}`] };
  const containers = await engineCall('list containers', (abortSignal) =>
    docker.listContainers({ all: true, filters, abortSignal }),
  );
  const leftovers: string[] = [];
  for (const { Id, Created, Labels, State } of containers) {
    const lifetimeS = Number(Labels[LIFETIME_LABEL] ?? 0);
    const old = nowMs > (Created + lifetimeS) * 1000;
    const ended = State === 'exited' && (await endedBefore(docker, Id, nowMs - EXITED_GRACE_MS));
    if (old || ended) leftovers.push(Id);
  }
  return leftovers;
}
