/** The kinds of steps: the container, the time limit and the words of each. */
import { SCRATCH, type Profile } from '@code-widgets/sandbox';

import type { Config } from './config.js';
import { PROVE_ENVIRONMENT } from './toolchain/gnatprove.js';
import { BUILD_ENVIRONMENT } from './toolchain/gprbuild.js';

export type StepKind = 'build' | 'run' | 'prove';

export interface StepSettings {
  readonly profile: Profile;
  readonly timeMs: number;
  /** As limits name the step. The run's word is the original's: readers know it. */
  readonly limitWord: string;
  /** As other messages name it. */
  readonly noun: string;
}

export type StepTable = Readonly<Record<StepKind, StepSettings>>;

const MIB = 1024 * 1024;
/** What a build or a proof may write into files. */
const TOOL_FILES_BYTES = 128 * MIB;
/** Nothing is there, but programs print it. */
const PROGRAM_PATH = '/usr/local/bin:/usr/bin:/bin';

export function stepTable(config: Config): StepTable {
  const tool = {
    image: config.SANDBOX_IMAGE,
    confinement: 'tool',
    writableBytes: TOOL_FILES_BYTES,
    processes: config.PROCESS_LIMIT,
  } as const;
  return {
    build: {
      profile: {
        name: 'build',
        ...tool,
        environment: BUILD_ENVIRONMENT,
        memoryBytes: config.MEMORY_LIMIT_BYTES,
        longestJobMs: config.BUILD_LIMIT_MS,
        minWarm: 1,
      },
      timeMs: config.BUILD_LIMIT_MS,
      limitWord: 'build',
      noun: 'build',
    },
    run: {
      profile: {
        name: 'run',
        image: config.RUN_IMAGE,
        confinement: 'program',
        environment: { PATH: PROGRAM_PATH, HOME: SCRATCH, TMPDIR: SCRATCH, LANG: 'C.UTF-8' },
        memoryBytes: config.MEMORY_LIMIT_BYTES,
        processes: config.PROCESS_LIMIT,
        writableBytes: config.WRITTEN_FILES_LIMIT_BYTES,
        longestJobMs: config.RUN_LIMIT_MS,
        minWarm: 1,
      },
      timeMs: config.RUN_LIMIT_MS,
      limitWord: 'process',
      noun: 'program',
    },
    prove: {
      profile: {
        name: 'prove',
        ...tool,
        environment: PROVE_ENVIRONMENT,
        memoryBytes: config.PROVE_MEMORY_LIMIT_BYTES,
        // gnatprove keeps a named semaphore there.
        sharedMemory: true,
        longestJobMs: config.PROVE_LIMIT_MS,
        minWarm: 0,
      },
      timeMs: config.PROVE_LIMIT_MS,
      limitWord: 'proof',
      noun: 'proof',
    },
  };
}
