/** The widget process: reads the environment, wires, listens, and closes without losing a request. */
import { setImmediate } from 'node:timers/promises';

import { connectBroker, createReplyReader, createTaskPublisher } from '@code-widgets/broker';
import { projectOptions } from '@code-widgets/project';
import { createLog, onShutdown, reportReady, startWatchdog } from '@code-widgets/service';

import { buildApp } from './app.js';
import { readConfig } from './config.js';

const LIFE_INTERVAL_MS = 1000;

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
  // Connections that wait to be accepted are accepted first: closing the listener resets them.
  await setImmediate();
  await app.close();
  await broker.close();
});
// A loop that turns is all that this process needs to be of use: without its broker it says so.
const watchdog = startWatchdog('widget');
setInterval(() => watchdog.alive(), LIFE_INTERVAL_MS).unref();
await app.listen({ host: config.HOST, port: config.PORT });
reportReady();
