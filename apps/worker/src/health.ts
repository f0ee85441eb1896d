/** A sign of life for a health check that cannot ask: a worker listens on no port. */
import { writeFileSync } from 'node:fs';

const INTERVAL_MS = 5000;

/** Writes `file` now and every 5 s, as long as `check` finds nothing wrong; returns what stops it. */
export function showHealth(file: string, check: () => Promise<boolean>): () => void {
  const show = () => {
    check()
      .then((healthy) => healthy && writeFileSync(file, `${new Date().toISOString()}\n`))
      .catch(() => undefined); // An old file says it.
  };
  show();
  const timer = setInterval(show, INTERVAL_MS);
  return () => clearInterval(timer);
}
