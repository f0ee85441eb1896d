/** What every process needs: settings from the environment, a log, a shutdown. */
import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';
import { Type, type Static, type TObject, type TProperties } from 'typebox';
import { Value } from 'typebox/value';

export type { Logger } from 'pino';
export { startWatchdog, type Watchdog } from './watchdog.js';

/** As in package.json. */
export const VERSION = '0.2.0';

/** Prints the version and exits, if `--version` is among the process's arguments. */
export function answerVersion(name: string): void {
  if (!process.argv.includes('--version')) return;
  console.log(`code-widgets ${name} ${VERSION}`);
  process.exit(0);
}

/** Empty variables count as unset. Throws an Error that names the variable, its problem and its `description`. */
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

/** TypeBox would convert `1.5` to 1. Text that is not an integer stays text, for the error message. */
const wholeNumber = (text: string): number | string => (/^-?\d+$/.test(text) ? Number(text) : text);

/** JSON lines on stdout, or readable lines if stdout is a terminal. */
export function createLog(name: string, level: string): Logger {
  // A closed terminal emits an error, which must not prevent the shutdown.
  process.stdout.on('error', () => undefined);
  return pino({ name, level }, process.stdout.isTTY ? pretty({ singleLine: true }) : process.stdout);
}

/** Calls `close` once, on a stop signal or the end of the IPC channel. Exits with 0, or with 1 if `close` failed. */
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

/** Tells the supervisor, if there is one, that this process is ready. */
export function reportReady(): void {
  process.send?.({ type: 'ready' });
}
