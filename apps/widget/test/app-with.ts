/** The app without a broker: routes and protection alone are tried with it, the broker is in test/integration. */
import { REQUEST_LIMITS } from '@code-widgets/project';
import type { ReplyReader } from '@code-widgets/broker';
import type { ReplyMessage, TaskMessage } from '@code-widgets/protocol';
import { pino } from 'pino';

import type { App } from '../src/app-type.js';
import { buildApp, type AppDependencies } from '../src/app.js';

export const HELLO = { basename: 'hello.adb', contents: 'procedure Hello is null;' };
export const RUN = { files: [HELLO], mode: 'run', main: '', switches: {}, name: 'Demo', lab: false };

const apps: App[] = [];

/** An app whose broker is what the test says; `submitted` fills with the tasks that it accepts. */
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
    limits: REQUEST_LIMITS,
    runsPerMinute: 300,
    trustedProxies: 0,
    ...dependencies,
  });
  apps.push(app);
  return { app, submitted };
}

export const repliesOf = (messages: ReplyMessage[]): ReplyReader => ({ poll: (_, read) => Promise.resolve(read(messages).result) });

export async function closeApps(): Promise<void> {
  for (const app of apps.splice(0)) await app.close();
}
