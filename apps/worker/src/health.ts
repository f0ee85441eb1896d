/** Signs of life for the watchdog and the health check. The health check reads a file: a worker listens on no port. */
import { writeFileSync } from 'node:fs';

const INTERVAL_MS = 5000;

/** Calls `show` now and every 5 s while `check` resolves to true. Returns a function that stops it. */
export function showWhile(check: () => Promise<boolean>, show: () => void): () => void {
  const look = () =>
    void check()
      .then((isFine) => isFine && show())
      .catch(() => undefined);
  look();
  const timer = setInterval(look, INTERVAL_MS).unref();
  return () => clearInterval(timer);
}

/** Updates the file's modification time, which the health check looks at. */
export const touch = (file: string) => writeFileSync(file, `${new Date().toISOString()}\n`);
