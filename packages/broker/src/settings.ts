/** The broker's settings, the same for every process of an installation: all declare the same queues. */
import { Type } from 'typebox';

const MINUTE_MS = 60_000;

export const BROKER_SETTINGS = {
  /** With user, password and virtual host. */
  AMQP_URL: Type.String({ pattern: '^amqps?://', default: 'amqp://guest:guest@localhost:5672' }),
  /** A file whose text is the password, in place of the one in AMQP_URL; one that is empty is none. */
  AMQP_PASSWORD_FILE: Type.Optional(Type.String()),
  /** Prefix of every queue and exchange (and the worker's label of every container). */
  NAMESPACE: Type.String({ pattern: '^[A-Za-z0-9_-]+$', default: 'widget' }),
  /** Tasks that may wait for a worker before more are refused. */
  WAITING_TASKS: Type.Integer({ minimum: 1, default: 200 }),
  /** How long an answer is kept after the last poll, in ms. */
  REPLY_EXPIRY_MS: Type.Integer({ minimum: 1000, default: 15 * MINUTE_MS }),
};
