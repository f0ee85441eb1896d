/**
 * What a test has left open keeps jest from ending, and a whole run with it. The verdict of the tests
 * stands, but what it was is said.
 */
import { inspect } from 'node:util';

const PATIENCE_MS = 20_000;
/** Everything that keeps a process, as Node has it for those who look for such a leak. */
const active = process as unknown as { _getActiveHandles(): object[] };

export default function teardown(): void {
  setTimeout(() => {
    console.error(`The tests are over, and yet there is: ${process.getActiveResourcesInfo().join(', ')}`);
    for (const handle of active._getActiveHandles()) console.error(inspect(handle, { depth: 0 }));
    process.exit();
  }, PATIENCE_MS).unref();
}
