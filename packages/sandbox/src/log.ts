/** The part of pino's interface that this package uses. */
export interface Log {
  warn(fields: object, message: string): void;
}
