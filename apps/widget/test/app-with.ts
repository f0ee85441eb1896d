/** The app with a broker that is what a test says: the real one is in test/integration. */
import type { ReplyReader } from '@code-widgets/broker';
import { encodeMessage, type ReplyMessage, type TaskMessage } from '@code-widgets/protocol';
import type { InjectOptions } from 'fastify';
import { pino } from 'pino';

import type { App } from '../src/app-type.js';
import { buildApp, type AppDependencies } from '../src/app.js';

export const HELLO = { basename: 'hello.adb', contents: 'procedure Hello is null;' };
export const RUN = { files: [HELLO], mode: 'run', main: '', switches: {}, name: 'Demo', lab: false };

const apps: App[] = [];
export async function closeApps(): Promise<void> {
  for (const app of apps.splice(0)) await app.close();
}

/** An app and what was submitted through it. */
export async function appWith(dependencies: Partial<AppDependencies> = {}): Promise<{ app: App; submitted: TaskMessage[] }> {
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
export const repliesOf = (messages: ReplyMessage[]): ReplyReader => ({ poll: (_, read) => Promise.resolve(read(messages, sizesOf(messages)).result) });
/** Of a broker that fails, with 30 tasks waiting for 4 workers. */
export const failing = (error: Error): Pick<AppDependencies, 'tasks' | 'replies'> => ({
  tasks: { submit: () => Promise.reject(error), load: () => Promise.resolve({ waiting: 30, slots: 4 }) },
  replies: { poll: () => Promise.reject(error) },
});

export async function post(app: App, url: string, payload: object | string, options: InjectOptions = {}) {
  return app.inject({ method: 'POST', url, payload, ...options });
}
