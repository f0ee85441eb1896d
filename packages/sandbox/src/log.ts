/** As much of pino's interface as is needed here. */
export interface Log {
  warn(fields: object, message: string): void;
}
