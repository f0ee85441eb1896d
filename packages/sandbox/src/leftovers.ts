/** Finds containers whose worker has died. */
import { LIFETIME_LABEL, NAMESPACE_LABEL } from './container-options.js';
import { EXITED_GRACE_MS } from './limits.js';
import { EngineRefused, type Runtime } from './runtime.js';

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
 * Ids of this namespace's leftovers: containers that have ended, or have outlived the lifetime in their label.
 * @throws {SandboxUnavailable} when the engine does not answer.
 */
export async function findLeftovers(runtime: Runtime, namespace: string): Promise<string[]> {
  // The engine's clock, since creation times come from it. Without it (NaN), no container counts as a leftover.
  const nowMs = Date.parse((await runtime.info()).SystemTime ?? '');
  const leftovers: string[] = [];
  for (const { id, createdMs, labels, hasExited } of await runtime.list(`${NAMESPACE_LABEL}=${namespace}`)) {
    const isOld = nowMs > createdMs + Number(labels[LIFETIME_LABEL] ?? 0) * 1000;
    if (isOld || (hasExited && (await endedBefore(runtime, id, nowMs - EXITED_GRACE_MS)))) leftovers.push(id);
  }
  return leftovers;
}
