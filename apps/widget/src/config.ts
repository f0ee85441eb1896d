/** The API's settings. docs/configuration.md explains them to operators. */
import { BROKER_SETTINGS } from '@code-widgets/broker';
import { REQUEST_SETTINGS } from '@code-widgets/project';
import { readSettings } from '@code-widgets/service';
import { Type } from 'typebox';

const MIB = 1024 * 1024;

export const Settings = Type.Object({
  ...BROKER_SETTINGS,
  ...REQUEST_SETTINGS,
  HOST: Type.String({ default: '0.0.0.0' }),
  PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 8000 }),
  LOG_LEVEL: Type.String({ default: 'info' }),
  // The buffer of a body may be twice as large as the body. BODY_BYTES limits the buffers of a client.
  BODY_LIMIT_BYTES: Type.Integer({ minimum: 1024, maximum: 6 * MIB, default: 4 * MIB }),
  /** Limit of one client. A classroom may share one address. 0 for no limit. */
  RUNS_PER_MINUTE: Type.Integer({ minimum: 0, default: 300 }),
  /** Limit of one client in this process; enough for a class that presses Run at once. 0 for no limit. */
  WAITING_TASKS_OF_CLIENT: Type.Integer({ minimum: 0, default: 40 }),
  /** Long-poll timeout. Meanwhile polls of the task in other API processes wait. 0 disables long polls and delays. */
  POLL_WAIT_MS: Type.Integer({ minimum: 0, maximum: 2000, default: 1000 }),
  /** Number of proxies in front. Each appends the address of its caller to X-Forwarded-For. */
  TRUSTED_PROXIES: Type.Integer({ minimum: 0, maximum: 16, default: 0 }),
});

export const readConfig = (env: NodeJS.ProcessEnv) => readSettings(Settings, env);
