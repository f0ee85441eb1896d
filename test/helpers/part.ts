/** Selects a part of many similar tests, for slow runtimes. */

/** Every n-th element if TEST_EVERY is set, otherwise all. */
export function partOf<T>(all: readonly T[]): T[] {
  const every = Number(process.env.TEST_EVERY ?? 1);
  return all.filter((_, index) => index % every === 0);
}
