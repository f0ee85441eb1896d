import { describe, expect, it } from '@jest/globals';

import { readConfig } from '../src/config.js';
import { stepTable } from '../src/step-table.js';

const MIB = 1024 * 1024;

describe('the step table', () => {
  it('has a profile for each kind of step', () => {
    const entries = Object.entries(stepTable(readConfig({})));
    expect(entries.map(([kind, { profile }]) => [kind, profile.name])).toEqual([
      ['build', 'build'],
      ['run', 'run'],
      ['prove', 'prove'],
    ]);
  });

  it('confines only programs to one process', () => {
    const { build, run, prove } = stepTable(readConfig({}));
    expect([build, run, prove].map(({ profile }) => profile.confinement)).toEqual(['tool', 'program', 'tool']);
  });

  it('gives only proofs shared memory, and keeps no warm container for them at first', () => {
    const { build, run, prove } = stepTable(readConfig({}));
    expect([build, run, prove].map(({ profile }) => profile.sharedMemory ?? false)).toEqual([false, false, true]);
    expect([build, run, prove].map(({ profile }) => profile.minWarm)).toEqual([1, 1, 0]);
  });

  it('takes images, limits and sizes from the settings', () => {
    const { build, run, prove } = stepTable(
      readConfig({
        SANDBOX_IMAGE: 'tools',
        RUN_IMAGE: 'program',
        BUILD_LIMIT_MS: '1',
        RUN_LIMIT_MS: '2',
        PROVE_LIMIT_MS: '3',
        MEMORY_LIMIT_BYTES: String(20 * MIB),
        PROVE_MEMORY_LIMIT_BYTES: String(30 * MIB),
        PROCESS_LIMIT: '40',
        WRITTEN_FILES_LIMIT_BYTES: String(5 * MIB),
      }),
    );
    expect(build).toMatchObject({
      timeMs: 1,
      profile: { image: 'tools', longestJobMs: 1, memoryBytes: 20 * MIB, processes: 40, writableBytes: 128 * MIB },
    });
    expect(run).toMatchObject({
      timeMs: 2,
      profile: { image: 'program', longestJobMs: 2, memoryBytes: 20 * MIB, processes: 40, writableBytes: 5 * MIB },
    });
    expect(prove).toMatchObject({
      timeMs: 3,
      profile: { image: 'tools', longestJobMs: 3, memoryBytes: 30 * MIB, processes: 40, writableBytes: 128 * MIB },
    });
  });
});
