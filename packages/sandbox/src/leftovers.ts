/** Containers that no worker will remove any more, since theirs has died. */
import { LIFETIME_LABEL, NAMESPACE_LABEL } from './container-options.js';
import { EXITED_GRACE_MS } from './limits.js';
import { EngineRefused, type Runtime } from './runtime.js';

/** Whether it ended long enough ago for its worker to have had its look at it. */
async function endedBefore(runtime: Runtime, id: string, timeMs: number): Promise<boolean> {
  try {
    const { finishedMs } = await runtime.inspect(id);
    return finishedMs < timeMs;
  } catch (error) {
    if (error instanceof EngineRefused && error.status === 404) return false;
    throw error;
  }
}

/**
 * The ids of this namespace's leftovers. No worker need be asked: each container has the longest
 * time of its job in a label, and ends by itself when its worker dies (its launcher sees to that).
 * @throws {SandboxUnavailable} when the engine does not answer.
 */
export async function findLeftovers(runtime: Runtime, namespace: string): Promise<string[]> {
  // The engine's clock, since it wrote the ages down. By a wrong clock a container is kept, the harmless mistake.
  const engineMs = Date.parse((await runtime.info()).SystemTime ?? '');
  const nowMs = Number.isNaN(engineMs) ? Date.now() : engineMs;
  const leftovers: string[] = [];
  for (const { id, createdMs, labels, hasExited } of await runtime.list(`${NAMESPACE_LABEL}=${namespace}`)) {
    const isOld = nowMs > createdMs + Number(labels[LIFETIME_LABEL] ?? 0) * 1000;
    if (isOld || (hasExited && (await endedBefore(runtime, id, nowMs - EXITED_GRACE_MS)))) leftovers.push(id);
  }
  return leftovers;
}
