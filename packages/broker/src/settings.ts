/** The settings that all processes of an installation share, because they declare the same queues. */
import { Type } from 'typebox';

const MINUTE_MS = 60_000;

export const BROKER_SETTINGS = {
  /** With user, password and virtual host. */
  AMQP_URL: Type.String({ pattern: '^amqps?://', default: 'amqp://guest:guest@localhost:5672' }),
  /** Path of a file with the password, which replaces the one in AMQP_URL. An empty file counts as unset. */
  AMQP_PASSWORD_FILE: Type.Optional(Type.String()),
  /** Prefix of every queue and exchange, and the label of every container. */
  NAMESPACE: Type.String({ pattern: '^[A-Za-z0-9_-]+$', default: 'widget' }),
  WAITING_TASKS: Type.Integer({ minimum: 1, default: 200 }),
  /** How long an answer is kept after the last poll, in ms. */
  REPLY_EXPIRY_MS: Type.Integer({ minimum: 1000, default: 15 * MINUTE_MS }),
};
