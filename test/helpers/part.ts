/** A part of many alike tests: a run under a slow runtime takes some, and by hand all can be had. */

/** Every n-th, where `npm test` asks for no more with TEST_EVERY; else all. */
export function partOf<T>(all: readonly T[]): T[] {
  const every = Number(process.env.TEST_EVERY ?? 1);
  return all.filter((_, index) => index % every === 0);
}
