/** Signs of life: for a health check that cannot ask, since a worker listens on no port, and for its own watchdog. */
import { writeFileSync } from 'node:fs';

import type { Watchdog } from '@code-widgets/service';

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

/** Tells the watchdog every 5 s, as long as `check` finds that tasks can come and go. */
export function showLife(watchdog: Watchdog, check: () => Promise<boolean>): void {
  const show = () => void check().then((alive) => alive && watchdog.alive(), () => undefined);
  show();
  setInterval(show, INTERVAL_MS).unref();
}
