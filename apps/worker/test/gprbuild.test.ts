import type { Job } from '@code-widgets/sandbox';
import { describe, expect, it } from '@jest/globals';

import { readConfig } from '../src/config.js';
import { stepTable } from '../src/step-table.js';
import { buildCachePolicy, gprbuild } from '../src/toolchain/gprbuild.js';

const { build, prove } = stepTable(readConfig({}));

describe('the build command', () => {
  it('is the prepared gprbuild with its configuration', () => {
    expect(gprbuild(['gprbuild', '-q', '-P', 'main.gpr'], ['Ada'])).toEqual({
      argv: [expect.stringMatching(/^\/.*\/gprbuild$/), '-q', '-P', 'main.gpr'],
      environment: { GPR_CONFIG: expect.stringMatching(/^\//) },
    });
  });

  it('is the plain gprbuild for a project without languages, which finds its own configuration', () => {
    expect(gprbuild(['gprbuild', '-q'], [])).toEqual({ argv: ['gprbuild', '-q'], environment: {} });
  });
});

describe('the policy of the build cache', () => {
  const policy = buildCachePolicy('build');
  const job = (contents: string, { profile } = build): Job => ({
    profile,
    argv: ['gprbuild'],
    files: [{ basename: 'main.c', contents }],
    limits: { timeMs: 1, outputBytes: 1 },
  });

  it('caches builds whose result depends only on their sources', () => {
    expect(policy.isCacheable(job('int main(void) {}'))).toBe(true);
    expect(policy.isCacheable(job('char *t = __TIME__;'))).toBe(false);
  });

  it('caches no job of another profile', () => {
    expect(policy.isCacheable(job('int main(void) {}', prove))).toBe(false);
  });

  it.each([
    ['a good build', 0, ''],
    ['a good build whose warning contains a word of a failure', 0, "main.c:1:1: warning: unused variable 'memory'"],
    ['an error of the user', 4, 'main.adb:1:01: error: missing ";"'],
  ])('caches %s', (_, status, output) => {
    expect(policy.isRepeatable({ status, ms: 1 }, output)).toBe(true);
  });

  it.each([
    ['a command killed by a signal', 139, ''],
    ['a killed compiler', 4, 'gcc: fatal error: Killed signal terminated program cc1'],
    ['a compiler with a bug', 4, 'main.c:1:1: internal compiler error: Segmentation fault'],
    ['a GNAT with a bug', 4, '+===GNAT BUG DETECTED===+\nplease see Bug box'],
    ['a compiler out of memory', 4, 'cc1: out of memory allocating 65536 bytes'],
    ['a compiler out of disk space', 4, 'error writing to main.o: No space left on device'],
    ['an error with the name of a temporary file', 4, '/workspace/tmp/ccGJyv9C.s:4: Error: symbol is already defined'],
    ['a warning with the name of a temporary file', 0, '/workspace/tmp/ccGJyv9C.s:4: Warning: x'],
  ])('does not cache %s', (_, status, output) => {
    expect(policy.isRepeatable({ status, ms: 1 }, output)).toBe(false);
  });
});
