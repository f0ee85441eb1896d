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
  // A body is collected in a buffer of up to twice its size, of which a client may have BODY_BYTES.
  BODY_LIMIT_BYTES: Type.Integer({ minimum: 1024, maximum: 6 * MIB, default: 4 * MIB }),
  /** Of one client: a class room shares an address. 0 for any number. */
  RUNS_PER_MINUTE: Type.Integer({ minimum: 0, default: 300 }),
  /** Of one client, in this widget: a class that presses Run at once has room. 0 for any number. */
  WAITING_TASKS_OF_CLIENT: Type.Integer({ minimum: 0, default: 40 }),
  /**
   * What a poll that finds nothing waits for something to come; other widgets' polls of the same task wait as
   * long. 0 for not at all, and none is held that comes too soon.
   */
  POLL_WAIT_MS: Type.Integer({ minimum: 0, maximum: 2000, default: 1000 }),
  /** In front, each adding the address that it was called from to X-Forwarded-For. */
  TRUSTED_PROXIES: Type.Integer({ minimum: 0, maximum: 16, default: 0 }),
});

export const readConfig = (env: NodeJS.ProcessEnv) => readSettings(Settings, env);
