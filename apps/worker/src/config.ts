/** The worker's settings. docs/configuration.md explains them to operators. */
import { BROKER_SETTINGS } from '@code-widgets/broker';
import { REQUEST_SETTINGS } from '@code-widgets/project';
import { POOL_WAIT_MS } from '@code-widgets/sandbox';
import { readSettings } from '@code-widgets/service';
import { Type, type Static } from 'typebox';

import { LONGEST_LINE_BYTES } from './line-buffer.js';

const SECOND_MS = 1000;
const MIB = 1024 * 1024;

/**
 * The largest value for which the worst tasks fit into 512 MiB, the limit in compose.yaml. docs/operations.md
 * has the budget.
 */
export const MAX_CONCURRENCY = 8;

export const Settings = Type.Object({
  ...BROKER_SETTINGS,
  ...REQUEST_SETTINGS,
  LOG_LEVEL: Type.String({ default: 'info' }),
  /** Tasks at a time. */
  CONCURRENCY: Type.Integer({
    minimum: 1,
    maximum: MAX_CONCURRENCY,
    default: 2,
    description: 'for more tasks at a time, run more workers',
  }),
  /** How long a worker that is told to stop works on before it gives its tasks back. */
  SHUTDOWN_GRACE_MS: Type.Integer({ minimum: 0, default: 20 * SECOND_MS }),

  /** How often a worker looks for containers that a dead one left. */
  SWEEP_INTERVAL_MS: Type.Integer({ minimum: 100, default: 30 * SECOND_MS }),
  /** Written every few seconds while broker and engine answer: its age tells a health check how the worker is. */
  HEALTH_FILE: Type.Optional(Type.String()),

  /** The engine, as Docker's own clients take it; without it, the usual socket. */
  DOCKER_HOST: Type.Optional(Type.String()),
  DOCKER_CERT_PATH: Type.Optional(Type.String()),
  /** What builds and proves, and what runs. */
  SANDBOX_IMAGE: Type.String({ default: 'code-widgets-sandbox' }),
  RUN_IMAGE: Type.String({ default: 'code-widgets-runner' }),
  /** What the engine runs the containers with, by the name that it has there: `runsc` for gVisor. */
  SANDBOX_RUNTIME: Type.Optional(Type.String()),
  /** Path of the seccomp profile that every container gets. */
  SECCOMP_PROFILE: Type.String({ default: 'docker/sandbox/seccomp.json' }),

  /** The most containers of each kind (build, run, proof) that wait for a task, made ahead; 0 for none. */
  PREPARED_CONTAINERS: Type.Integer({ minimum: 0, maximum: 64, default: 8 }),
  /** How long one of them waits before a newer one takes its place; what a dead worker leaves may stay as long. */
  PREPARED_WAIT_MS: Type.Integer({ minimum: 1000, default: POOL_WAIT_MS }),
  /** Where builds are kept, for all workers of a machine; without it, each is made anew. */
  BUILD_CACHE_FOLDER: Type.Optional(Type.String({ minLength: 1 })),
  BUILD_CACHE_BYTES: Type.Integer({ minimum: 0, default: 512 * MIB }),

  BUILD_LIMIT_MS: Type.Integer({ minimum: 1, default: 30 * SECOND_MS }),
  RUN_LIMIT_MS: Type.Integer({ minimum: 1, default: 10 * SECOND_MS }),
  PROVE_LIMIT_MS: Type.Integer({ minimum: 1, default: 60 * SECOND_MS }),
  /** A whole task, from its start in the worker. */
  TASK_LIMIT_MS: Type.Integer({ minimum: 1, default: 120 * SECOND_MS }),
  /** stdout and stderr of a task together; written as JSON escapes, a reply queue has room for this much. */
  OUTPUT_LIMIT_BYTES: Type.Integer({ minimum: 1, maximum: MIB, default: MIB }),
  /** A line without an end is sent in parts of so many. */
  LINE_LIMIT_BYTES: Type.Integer({ minimum: 16, maximum: MIB / 4, default: LONGEST_LINE_BYTES }),
  /** Of a container, its files included. */
  MEMORY_LIMIT_BYTES: Type.Integer({ minimum: 16 * MIB, default: 256 * MIB }),
  PROVE_MEMORY_LIMIT_BYTES: Type.Integer({ minimum: 16 * MIB, default: 1024 * MIB }),
  /** Processes and threads of a container; gprbuild and its compilers need a few. */
  PROCESS_LIMIT: Type.Integer({ minimum: 10, default: 100 }),
  /** What a program may write into files, in all. */
  WRITTEN_FILES_LIMIT_BYTES: Type.Integer({ minimum: 4096, default: 32 * MIB }),
});
export type Config = Readonly<Static<typeof Settings>>;

export const readConfig = (env: NodeJS.ProcessEnv): Config => readSettings(Settings, env);
