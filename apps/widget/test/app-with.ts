/** The app with a scripted broker; the real one is in test/integration. */
import type { ReplyReader } from '@code-widgets/broker';
import { encodeMessage, type ReplyMessage, type TaskMessage } from '@code-widgets/protocol';
import type { InjectOptions } from 'fastify';
import { pino } from 'pino';

import type { App } from '../src/app-type.js';
import { buildApp, type AppDependencies } from '../src/app.js';

export const HELLO = { basename: 'hello.adb', contents: 'procedure Hello is null;' };
export const RUN = { files: [HELLO], mode: 'run', main: '', switches: {}, name: 'Demo', lab: false };

const apps: App[] = [];
/**
 * One app without dependencies for all tests of a file, since compiling its validators takes longer than most
 * tests.
 */
let plain: Promise<TestedApp> | undefined;
export async function closeApps(): Promise<void> {
  plain = undefined;
  for (const app of apps.splice(0)) await app.close();
}

export interface TestedApp {
  app: App;
  submitted: TaskMessage[];
}

/** An app and the tasks submitted through it since this call. */
export async function appWith(dependencies?: Partial<AppDependencies>): Promise<TestedApp> {
  if (dependencies !== undefined) return build(dependencies);
  const built = await (plain ??= build({}));
  built.submitted.length = 0;
  return built;
}

async function build(dependencies: Partial<AppDependencies>): Promise<TestedApp> {
  const submitted: TaskMessage[] = [];
  const app = await buildApp({
    tasks: {
      submit: (task) => Promise.resolve(void submitted.push(task)),
      load: () => Promise.resolve({ waiting: 0, slots: 0 }),
    },
    replies: repliesOf([]),
    log: pino({ level: 'silent' }),
    bodyLimitBytes: 4 * 1024 * 1024,
    projectOptions: {},
    runsPerMinute: 0,
    waitingTasksOfClient: 0,
    pollWaitMs: 0,
    trustedProxies: 0,
    ...dependencies,
  });
  apps.push(app);
  return { app, submitted };
}

export const sizesOf = (messages: ReplyMessage[]) => messages.map((message) => encodeMessage(message).length);
export const repliesOf = (messages: ReplyMessage[]): ReplyReader => ({
  poll: (_, read) => Promise.resolve(read(messages, sizesOf(messages)).result),
});
/** A failing broker with 30 waiting tasks for 4 workers. */
export const failing = (error: Error): Pick<AppDependencies, 'tasks' | 'replies'> => ({
  tasks: { submit: () => Promise.reject(error), load: () => Promise.resolve({ waiting: 30, slots: 4 }) },
  replies: { poll: () => Promise.reject(error) },
});

export async function post(app: App, url: string, payload: object | string, options: InjectOptions = {}) {
  return app.inject({ method: 'POST', url, payload, ...options });
}
