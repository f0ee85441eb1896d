/** The worker process: reads the environment, wires, consumes, and gives back what it cannot finish. */
import { readFileSync } from 'node:fs';

import { connectBroker, consumeTasks } from '@code-widgets/broker';
import { projectOptions } from '@code-widgets/project';
import { createSandbox } from '@code-widgets/sandbox';
import { createLog, onShutdown, reportReady, startWatchdog } from '@code-widgets/service';

import { containerLimits, readConfig, taskLimits } from './config.js';
import { rememberGeneration } from './gnatprove.js';
import { createTaskHandler } from './handle-task.js';
import { showHealth, showLife } from './health.js';

/** For the engine's troubles, which a task is held through, and its containers' slack. */
const TASK_SLACK_MS = 180_000;

const config = readConfig(process.env);
const log = createLog('worker', config.LOG_LEVEL);

const sandbox = createSandbox({
  ...(config.DOCKER_HOST !== undefined && { dockerHost: config.DOCKER_HOST }),
  ...(config.DOCKER_CERT_PATH !== undefined && { dockerCertPath: config.DOCKER_CERT_PATH }),
  buildImage: config.SANDBOX_IMAGE,
  runImage: config.RUN_IMAGE,
  ...(config.SANDBOX_RUNTIME !== undefined && { runtime: config.SANDBOX_RUNTIME }),
  seccompProfile: readFileSync(config.SECCOMP_PROFILE, 'utf8'),
  namespace: config.NAMESPACE,
  limits: containerLimits(config),
  preparedContainers: config.PREPARED_CONTAINERS,
  preparedWaitMs: config.PREPARED_WAIT_MS,
  longestStepsMs: { build: config.BUILD_LIMIT_MS, run: config.RUN_LIMIT_MS, prove: config.PROVE_LIMIT_MS },
  ...(config.BUILD_CACHE_FOLDER && { buildCache: { folder: config.BUILD_CACHE_FOLDER, maxBytes: config.BUILD_CACHE_BYTES } }),
  log,
});
await sandbox.check();
await demandSandbox();
await sweep();
setInterval(() => void sweep(), config.SWEEP_INTERVAL_MS).unref();

const broker = await connectBroker(config, log);
const consumer = consumeTasks({
  broker,
  concurrency: config.CONCURRENCY,
  longestTaskMs: config.TASK_LIMIT_MS + TASK_SLACK_MS,
  handle: createTaskHandler({
    sandbox,
    generation: rememberGeneration(sandbox),
    limits: taskLimits(config),
    projectOptions: projectOptions(config),
    log,
  }),
});
showLife(startWatchdog('worker'), () => consumer.isAlive());
const hideHealth = config.HEALTH_FILE
  ? showHealth(config.HEALTH_FILE, () => sandbox.check().then(() => broker.connected))
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

/** Rather no service than one whose programs are not held. */
async function demandSandbox(): Promise<void> {
  const faults = await sandbox.inspect();
  if (faults.length === 0) return;
  for (const fault of faults) log.fatal(fault);
  await sandbox.close();
  throw new Error(`the sandbox does not hold: ${faults.length} faults, see above`);
}

/** Removes what dead workers left in the engine: it is not only found when a worker starts. */
async function sweep(): Promise<void> {
  try {
    const leftovers = await sandbox.removeLeftovers();
    if (leftovers > 0) log.warn({ leftovers }, 'removed containers that a dead worker had left');
  } catch (error) {
    log.warn({ reason: (error as Error).message }, 'could not look for containers that a dead worker had left');
  }
}
