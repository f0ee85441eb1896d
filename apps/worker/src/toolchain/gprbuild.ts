/** What is known of gprbuild and the compilers in the sandbox image (docker/sandbox/Dockerfile). */
import { SCRATCH, type CachePolicy } from '@code-widgets/sandbox';

import { isReproducible } from './reproducible.js';

/** A gprbuild whose knowledge base is small: it starts 80 ms faster. It needs GPR_CONFIG. */
const PREPARED_GPRBUILD = '/usr/libexec/code-widgets/gprbuild/bin/gprbuild';
/** Made by gprconfig when the image was built. Without it, gprbuild takes 250 ms to find its compilers. */
const GPR_CONFIG = '/etc/gprbuild/default.cgpr';

/**
 * A build is a dozen short processes, which spend much of their time on page faults: their heaps
 * grow in large steps, on huge pages where the kernel gives them to those who ask.
 */
const GLIBC_TUNABLES = [
  'glibc.malloc.hugetlb=1',
  'glibc.malloc.top_pad=16777216',
  'glibc.malloc.mmap_threshold=268435456',
  'glibc.malloc.trim_threshold=268435456',
].join(':');

export const BUILD_ENVIRONMENT = { HOME: SCRATCH, TMPDIR: SCRATCH, LANG: 'C.UTF-8', GLIBC_TUNABLES };

/**
 * How to start gprbuild for a project in these languages. For a project without any, it has to find
 * its configuration: with a prepared one it does not notice that there is nothing to build.
 */
export function gprbuild(
  [, ...words]: readonly string[],
  languages: readonly string[],
): { argv: string[]; environment: Record<string, string> } {
  if (languages.length === 0) return { argv: ['gprbuild', ...words], environment: {} };
  return { argv: [PREPARED_GPRBUILD, ...words], environment: { GPR_CONFIG } };
}

/** A compiler says so when it is short of something for the moment. */
const TEMPORARY_FAILURE =
  /killed|signal|internal compiler error|bug box|allocate|memory|resource|no space|too many open/i;
/** A temporary file of a compiler's, as its assembler's messages name it: another one each time. */
const TEMPORARY_FILE = /\/cc\w{6}\.\w/;

/** @param profile name of the profile that builds */
export function buildCachePolicy(profile: string): CachePolicy {
  return {
    isCacheable: (job) => job.profile.name === profile && isReproducible(job.files),
    isRepeatable: ({ status }, output) =>
      status < 128 && !TEMPORARY_FILE.test(output) && (status === 0 || !TEMPORARY_FAILURE.test(output)),
  };
}
