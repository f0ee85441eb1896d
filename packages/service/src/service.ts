/** What each of our processes begins and ends with: its settings, its log, its shutdown. */
import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';
import { Type, type Static, type TObject, type TProperties } from 'typebox';
import { Value } from 'typebox/value';

export type { Logger } from 'pino';
export { startWatchdog, type Watchdog } from './watchdog.js';

/**
 * The settings of `schema` from the environment; an empty variable counts as none.
 * Throws an Error that names the variable and what it should be, with the setting's `description`.
 */
export function readSettings<P extends TProperties>(
  schema: TObject<P>,
  env: NodeJS.ProcessEnv,
): Readonly<Static<TObject<P>>> {
  const given = Object.entries(schema.properties).flatMap(([name, property]) => {
    const text = env[name];
    return text ? [[name, Type.IsInteger(property) ? wholeNumber(text) : text] as const] : [];
  });
  const settings = Value.Default(schema, Object.fromEntries(given));
  for (const { instancePath, message } of Value.Errors(schema, settings)) {
    const name = instancePath.slice(1);
    const { description } = (schema.properties[name] ?? {}) as { description?: string };
    throw new Error(
      `setting ${name} ${message} (it is ${JSON.stringify(env[name])})${description ? `: ${description}` : ''}`,
    );
  }
  return Object.freeze(settings as Static<TObject<P>>);
}

/** Not by TypeBox's conversion, which makes 1 of `1.5`; what is no number stays what it is, for the error. */
const wholeNumber = (text: string): number | string => (/^-?\d+$/.test(text) ? Number(text) : text);

/** JSON lines on stdout, or lines for people when that is a terminal. */
export function createLog(name: string, level: string): Logger {
  // A terminal that has gone away takes no lines any more; the process still has its shutdown to do.
  process.stdout.on('error', () => undefined);
  return pino({ name, level }, process.stdout.isTTY ? pretty({ singleLine: true }) : process.stdout);
}

/**
 * Calls `close` once, on the first signal to stop or when the supervisor that started this process
 * with an IPC channel is gone, and exits: with 0, or with 1 if closing failed.
 */
export function onShutdown(log: Logger, close: () => Promise<void>): void {
  let closing = false;
  const shutDown = (reason: string) => {
    if (closing) return;
    closing = true;
    log.info({ reason }, 'shutting down');
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'shutdown failed');
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => shutDown(signal));
  process.on('disconnect', () => shutDown('supervisor gone'));
}

/** Tells a supervisor, if there is one, that this process does its work from now on. */
export function reportReady(): void {
  process.send?.({ type: 'ready' });
}
