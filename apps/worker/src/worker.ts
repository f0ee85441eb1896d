/** Starts a worker: reads settings, connects the parts, and consumes tasks until shutdown. */
import { readFileSync } from 'node:fs';

import { connectBroker, consumeTasks } from '@code-widgets/broker';
import { projectOptions } from '@code-widgets/project';
import { createSandbox, type Sandbox } from '@code-widgets/sandbox';
import { createLog, onShutdown, reportReady, startWatchdog, type Logger } from '@code-widgets/service';

import { readConfig } from './config.js';
import { createTaskHandler } from './handle-task.js';
import { showWhile, touch } from './health.js';
import { stepTable } from './step-table.js';
import { taskLimits } from './task-limits.js';
import { rememberGeneration } from './toolchain/gnatprove.js';
import { buildCachePolicy } from './toolchain/gprbuild.js';

/**
 * Added to a task's time limit before the worker counts as hung: for waits for the engine and overhead of containers.
 */
const TASK_SLACK_MS = 180_000;

/** Chaos tests inject faulty parts. */
export interface WorkerParts {
  connectBroker: typeof connectBroker;
  createSandbox: typeof createSandbox;
}

/** Resolves when the worker consumes tasks. Throws if a setting, the engine or the sandbox is not usable. */
export async function startWorker(
  env: NodeJS.ProcessEnv,
  parts: WorkerParts = { connectBroker, createSandbox },
): Promise<void> {
  const config = readConfig(env);
  const log = createLog('worker', config.LOG_LEVEL);

  const steps = stepTable(config);
  const { build, run, prove } = steps;
  const policy = buildCachePolicy(build.profile.name);

  const sandbox = parts.createSandbox({
    ...(config.DOCKER_HOST !== undefined && { dockerHost: config.DOCKER_HOST }),
    ...(config.DOCKER_CERT_PATH !== undefined && { dockerCertPath: config.DOCKER_CERT_PATH }),
    ...(config.SANDBOX_RUNTIME !== undefined && { runtime: config.SANDBOX_RUNTIME }),
    profiles: [build.profile, run.profile, prove.profile],
    seccompProfile: readFileSync(config.SECCOMP_PROFILE, 'utf8'),
    namespace: config.NAMESPACE,
    maxWarm: config.PREPARED_CONTAINERS,
    warmMs: config.PREPARED_WAIT_MS,
    ...(config.BUILD_CACHE_FOLDER && {
      cache: { folder: config.BUILD_CACHE_FOLDER, maxBytes: config.BUILD_CACHE_BYTES, policy },
    }),
    log,
  });
  await sandbox.check();
  await demandSandbox(sandbox, log);
  await sweep(sandbox, log);
  setInterval(() => void sweep(sandbox, log), config.SWEEP_INTERVAL_MS).unref();

  const broker = await parts.connectBroker(config, log);
  const consumer = consumeTasks({
    broker,
    concurrency: config.CONCURRENCY,
    longestTaskMs: config.TASK_LIMIT_MS + TASK_SLACK_MS,
    handle: createTaskHandler({
      sandbox,
      generation: rememberGeneration(sandbox, prove.profile),
      steps,
      limits: taskLimits(config),
      projectOptions: projectOptions(config),
      log,
    }),
  });
  const watchdog = startWatchdog('worker');
  showWhile(
    () => consumer.isAlive(),
    () => watchdog.alive(),
  );
  const { HEALTH_FILE } = config;
  const hideHealth = HEALTH_FILE
    ? showWhile(
        () => sandbox.check().then(() => broker.connected),
        () => touch(HEALTH_FILE),
      )
    : () => undefined;

  onShutdown(log, async () => {
    hideHealth();
    await consumer.close(config.SHUTDOWN_GRACE_MS);
    await sandbox.close();
    await broker.close();
  });
  await broker.ready();
  log.info({ concurrency: config.CONCURRENCY }, 'worker ready');
  reportReady();
}

/** Throws if the sandbox has a fault, because then no hostile program may run in it. */
async function demandSandbox(sandbox: Sandbox, log: Logger): Promise<void> {
  const faults = await sandbox.inspect();
  if (faults.length === 0) return;
  for (const fault of faults) log.fatal(fault);
  await sandbox.close();
  throw new Error(`the sandbox does not hold: ${faults.length} faults, see above`);
}

async function sweep(sandbox: Sandbox, log: Logger): Promise<void> {
  try {
    const leftovers = await sandbox.removeLeftovers();
    if (leftovers > 0) log.warn({ leftovers }, 'removed containers that a dead worker had left');
  } catch (error) {
    log.warn({ reason: (error as Error).message }, 'could not look for containers that a dead worker had left');
  }
}
