/** Signs of life: for a health check that cannot ask, since a worker listens on no port, and for its own watchdog. */
import { writeFileSync } from 'node:fs';

const INTERVAL_MS = 5000;

/** Calls `show` now and every 5 s, as long as `check` resolves to true; returns what stops it. */
export function showWhile(check: () => Promise<boolean>, show: () => void): () => void {
  const look = () =>
    void check()
      .then((isFine) => isFine && show())
      .catch(() => undefined);
  look();
  const timer = setInterval(look, INTERVAL_MS).unref();
  return () => clearInterval(timer);
}

/** The age of the file tells how the worker is. */
export const touch = (file: string) => writeFileSync(file, `${new Date().toISOString()}\n`);
