import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { identify, isAlive, type ProcessIdentity } from './processes.js';

/**
 * Who uses something that all checkouts share: a file for each process, with its number and start,
 * so that a killed user stops counting by itself. The caller holds the lock on what is shared.
 */
export class Leases {
  constructor(private readonly folder: string) {}

  take(): void {
    const self = identify(process.pid);
    if (!self) throw new Error('This process has no entry in /proc.');
    mkdirSync(this.folder, { recursive: true });
    writeFileSync(join(this.folder, String(self.pid)), JSON.stringify(self));
  }

  giveUp(): void {
    rmSync(join(this.folder, String(process.pid)), { force: true });
  }

  /** Whether anybody alive holds one; the leases of the dead are dropped. */
  areHeld(): boolean {
    mkdirSync(this.folder, { recursive: true });
    let held = false;
    for (const name of readdirSync(this.folder)) {
      const path = join(this.folder, name);
      if (isAlive(JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity)) held = true;
      else rmSync(path, { force: true });
    }
    return held;
  }
}
