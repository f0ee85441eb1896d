/** Command line, environment and cache policy of gprbuild (docker/sandbox/Dockerfile). */
import { SCRATCH, type CachePolicy } from '@code-widgets/sandbox';

import { isReproducible } from './reproducible.js';

/** A gprbuild with a small knowledge base, which starts 80 ms faster. It needs GPR_CONFIG. */
const PREPARED_GPRBUILD = '/usr/libexec/code-widgets/gprbuild/bin/gprbuild';
/** gprconfig wrote it when the image was built. Without it, gprbuild takes 250 ms to find its compilers. */
const GPR_CONFIG = '/etc/gprbuild/default.cgpr';

/**
 * A build is a dozen short processes with many page faults. Let heaps grow in large steps, on huge pages if possible.
 */
const GLIBC_TUNABLES = [
  'glibc.malloc.hugetlb=1',
  'glibc.malloc.top_pad=16777216',
  'glibc.malloc.mmap_threshold=268435456',
  'glibc.malloc.trim_threshold=268435456',
].join(':');

export const BUILD_ENVIRONMENT = { HOME: SCRATCH, TMPDIR: SCRATCH, LANG: 'C.UTF-8', GLIBC_TUNABLES };

/**
 * The command for sources in these languages. Without any, it is the plain gprbuild without GPR_CONFIG: gprbuild
 * reports that there is nothing to build only if it looks for its configuration itself.
 */
export function gprbuild(
  [, ...words]: readonly string[],
  languages: readonly string[],
): { argv: string[]; environment: Record<string, string> } {
  if (languages.length === 0) return { argv: ['gprbuild', ...words], environment: {} };
  return { argv: [PREPARED_GPRBUILD, ...words], environment: { GPR_CONFIG } };
}

/** Messages of a compiler that is short of a resource. Such a failure may not happen again, so it is not cached. */
const TEMPORARY_FAILURE =
  /killed|signal|internal compiler error|bug box|allocate|memory|resource|no space|too many open/i;
/** A compiler's temporary file in an assembler message. Its name differs each time. */
const TEMPORARY_FILE = /\/cc\w{6}\.\w/;

/** @param profile name of the profile that builds */
export function buildCachePolicy(profile: string): CachePolicy {
  return {
    isCacheable: (job) => job.profile.name === profile && isReproducible(job.files),
    // A status from 128 on means that a signal ended a process.
    isRepeatable: ({ status }, output) =>
      status < 128 && !TEMPORARY_FILE.test(output) && (status === 0 || !TEMPORARY_FAILURE.test(output)),
  };
}
