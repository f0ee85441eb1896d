/** The worker's settings. README.md explains them to operators. */
import { BROKER_SETTINGS } from '@code-widgets/broker';
import { limits } from '@code-widgets/sandbox';
import { readSettings } from '@code-widgets/service';
import { Type, type Static } from 'typebox';

import type { TaskLimits } from './task-limits.js';

const SECOND_MS = 1000;

const Settings = Type.Object({
  ...BROKER_SETTINGS,
  LOG_LEVEL: Type.String({ default: 'info' }),
  /** Tasks at a time. */
  CONCURRENCY: Type.Integer({ minimum: 1, maximum: 64, default: 2 }),
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
  /** Path of the seccomp profile that every container gets. */
  SECCOMP_PROFILE: Type.String({ default: 'docker/sandbox/seccomp.json' }),

  BUILD_LIMIT_MS: Type.Integer({ minimum: 1, default: limits.BUILD_TIME_MS }),
  RUN_LIMIT_MS: Type.Integer({ minimum: 1, default: limits.RUN_TIME_MS }),
  PROVE_LIMIT_MS: Type.Integer({ minimum: 1, default: limits.PROVE_TIME_MS }),
  /** A whole task, from its start in the worker. */
  TASK_LIMIT_MS: Type.Integer({ minimum: 1, default: limits.TASK_TIME_MS }),
  /** stdout and stderr of a task together. */
  OUTPUT_LIMIT_BYTES: Type.Integer({ minimum: 1, default: limits.TASK_OUTPUT_BYTES }),
});
type Config = Readonly<Static<typeof Settings>>;

export const readConfig = (env: NodeJS.ProcessEnv): Config => readSettings(Settings, env);

/** The limits of a task, of these settings and of the sandbox. */
export function taskLimits(config: Config): TaskLimits {
  return {
    buildMs: config.BUILD_LIMIT_MS,
    runMs: config.RUN_LIMIT_MS,
    proveMs: config.PROVE_LIMIT_MS,
    taskMs: config.TASK_LIMIT_MS,
    outputBytes: config.OUTPUT_LIMIT_BYTES,
    memoryBytes: limits.MEMORY_BYTES,
    proveMemoryBytes: limits.PROVE_MEMORY_BYTES,
  };
}
