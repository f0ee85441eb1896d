/** The profile, time limit and words of each kind of step. */
import { SCRATCH, type Profile } from '@code-widgets/sandbox';

import type { Config } from './config.js';
import { PROVE_ENVIRONMENT } from './toolchain/gnatprove.js';
import { BUILD_ENVIRONMENT } from './toolchain/gprbuild.js';

export type StepKind = 'build' | 'run' | 'prove';

export interface StepSettings {
  readonly profile: Profile;
  readonly timeMs: number;
  /** Name of the step in messages about limits, as in the original service, which users know. */
  readonly limitWord: string;
  /** Name of the step in other messages. */
  readonly noun: string;
}

export type StepTable = Readonly<Record<StepKind, StepSettings>>;

const MIB = 1024 * 1024;
/** Maximum size of all files that a build or a proof writes. */
const TOOL_FILES_BYTES = 128 * MIB;
/** Only for programs that print PATH: the folders do not exist in the image. */
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
        // For the named semaphore of gnatprove.
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
