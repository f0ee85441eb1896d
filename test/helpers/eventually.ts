/** Waits for conditions in tests. */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Resolves to the first truthy value of `check`; rejects at once if `check` throws.
 *
 * @param what the awaited condition as a clause, for the error: "the queue is empty"
 */
export async function eventually<T>(
  what: string,
  check: () => T | Promise<T>,
  { limitMs = 10_000, everyMs = 50 } = {},
): Promise<Exclude<T, false | null | undefined>> {
  for (const deadline = performance.now() + limitMs; ; await sleep(everyMs)) {
    const value = await check();
    if (value) return value as Exclude<T, false | null | undefined>;
    if (performance.now() > deadline) throw new Error(`Not within ${limitMs / 1000} s: ${what}.`);
  }
}
