/** Reports handles that a test left open, which keep jest from ending. The test results stand. */
import { inspect } from 'node:util';

const PATIENCE_MS = 20_000;
/** Node's undocumented list of what keeps a process alive. */
const active = process as unknown as { _getActiveHandles(): object[] };

export default function teardown(): void {
  setTimeout(() => {
    console.error(`The tests are over, and yet there is: ${process.getActiveResourcesInfo().join(', ')}`);
    for (const handle of active._getActiveHandles()) console.error(inspect(handle, { depth: 0 }));
    process.exit();
  }, PATIENCE_MS).unref();
}
