/** Settings of the worker. docs/configuration.md explains them to operators. */
import { BROKER_SETTINGS } from '@code-widgets/broker';
import { REQUEST_SETTINGS } from '@code-widgets/project';
import { POOL_WAIT_MS } from '@code-widgets/sandbox';
import { readSettings } from '@code-widgets/service';
import { Type, type Static } from 'typebox';

import { LONGEST_LINE_BYTES } from './line-buffer.js';

const SECOND_MS = 1000;
const MIB = 1024 * 1024;

/** This many of the largest tasks fit into the 512 MiB of compose.yaml. docs/operations.md has the sum. */
export const MAX_CONCURRENCY = 8;

export const Settings = Type.Object({
  ...BROKER_SETTINGS,
  ...REQUEST_SETTINGS,
  LOG_LEVEL: Type.String({ default: 'info' }),
  CONCURRENCY: Type.Integer({
    minimum: 1,
    maximum: MAX_CONCURRENCY,
    default: 2,
    description: 'for more tasks at a time, run more workers',
  }),
  /** How long running tasks may continue after SIGTERM before they are requeued. */
  SHUTDOWN_GRACE_MS: Type.Integer({ minimum: 0, default: 20 * SECOND_MS }),

  /** Interval of the search for containers of dead workers. */
  SWEEP_INTERVAL_MS: Type.Integer({ minimum: 100, default: 30 * SECOND_MS }),
  /** Written every 5 s while broker and engine answer. A health check looks at its age. */
  HEALTH_FILE: Type.Optional(Type.String()),

  /** Same as for Docker's own clients. */
  DOCKER_HOST: Type.Optional(Type.String()),
  DOCKER_CERT_PATH: Type.Optional(Type.String()),
  /** Image of builds and proofs, and image of programs. */
  SANDBOX_IMAGE: Type.String({ default: 'code-widgets-sandbox' }),
  RUN_IMAGE: Type.String({ default: 'code-widgets-runner' }),
  /** The engine's name for the runtime, for example `runsc` for gVisor; its default if missing. */
  SANDBOX_RUNTIME: Type.Optional(Type.String()),
  SECCOMP_PROFILE: Type.String({ default: 'docker/sandbox/seccomp.json' }),

  /** Maximum number of warm containers for each kind of step; 0 for none. */
  PREPARED_CONTAINERS: Type.Integer({ minimum: 0, maximum: 64, default: 8 }),
  /** How long a container stays warm. Containers of a dead worker may stay as long. */
  PREPARED_WAIT_MS: Type.Integer({ minimum: 1000, default: POOL_WAIT_MS }),
  /** The build cache, shared by all workers of a machine; if missing, nothing is cached. */
  BUILD_CACHE_FOLDER: Type.Optional(Type.String({ minLength: 1 })),
  BUILD_CACHE_BYTES: Type.Integer({ minimum: 0, default: 512 * MIB }),

  BUILD_LIMIT_MS: Type.Integer({ minimum: 1, default: 30 * SECOND_MS }),
  RUN_LIMIT_MS: Type.Integer({ minimum: 1, default: 10 * SECOND_MS }),
  PROVE_LIMIT_MS: Type.Integer({ minimum: 1, default: 60 * SECOND_MS }),
  /** From the task's start in the worker. */
  TASK_LIMIT_MS: Type.Integer({ minimum: 1, default: 120 * SECOND_MS }),
  /** stdout and stderr of a task together. The maximum fits into a reply queue, even if all of it is JSON escapes. */
  OUTPUT_LIMIT_BYTES: Type.Integer({ minimum: 1, maximum: MIB, default: MIB }),
  /** Longer lines are sent in parts. */
  LINE_LIMIT_BYTES: Type.Integer({ minimum: 16, maximum: MIB / 4, default: LONGEST_LINE_BYTES }),
  /** Memory of a container, its files included. */
  MEMORY_LIMIT_BYTES: Type.Integer({ minimum: 16 * MIB, default: 256 * MIB }),
  PROVE_MEMORY_LIMIT_BYTES: Type.Integer({ minimum: 16 * MIB, default: 1024 * MIB }),
  /** Processes and threads of a container. gprbuild and its compilers need a few. */
  PROCESS_LIMIT: Type.Integer({ minimum: 10, default: 100 }),
  /** Total size of the files that a program writes. */
  WRITTEN_FILES_LIMIT_BYTES: Type.Integer({ minimum: 4096, default: 32 * MIB }),
});
export type Config = Readonly<Static<typeof Settings>>;

export const readConfig = (env: NodeJS.ProcessEnv): Config => readSettings(Settings, env);
