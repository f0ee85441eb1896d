/** The API process: reads the settings, listens, and shuts down without losing a request. */
import { setImmediate } from 'node:timers/promises';

import { connectBroker, createReplyReader, createTaskPublisher } from '@code-widgets/broker';
import { projectOptions } from '@code-widgets/project';
import { answerVersion, createLog, onShutdown, reportReady, startWatchdog } from '@code-widgets/service';

import { buildApp } from './app.js';
import { readConfig } from './config.js';

const SIGN_OF_LIFE_MS = 1000;

answerVersion('widget');
const config = readConfig(process.env);
const log = createLog('widget', config.LOG_LEVEL);
const broker = await connectBroker(config, log);
const app = await buildApp({
  tasks: createTaskPublisher(broker),
  replies: createReplyReader(broker),
  log,
  bodyLimitBytes: config.BODY_LIMIT_BYTES,
  projectOptions: projectOptions(config),
  runsPerMinute: config.RUNS_PER_MINUTE,
  waitingTasksOfClient: config.WAITING_TASKS_OF_CLIENT,
  pollWaitMs: config.POLL_WAIT_MS,
  trustedProxies: config.TRUSTED_PROXIES,
});

onShutdown(log, async () => {
  // Accept waiting connections first: closing the listener would reset them.
  await setImmediate();
  await app.close();
  await broker.close();
});
// A running event loop suffices: without its broker the API answers 503.
const watchdog = startWatchdog('widget');
setInterval(() => watchdog.alive(), SIGN_OF_LIFE_MS).unref();
await app.listen({ host: config.HOST, port: config.PORT });
reportReady();
