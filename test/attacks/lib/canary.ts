/** Another user, who runs one small program after the other while the attacks go on. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { runProgram, text } from '../../helpers/client.js';

const PAUSE_MS = 2000;
const PROGRAM = `with Ada.Text_IO; use Ada.Text_IO;
with Ada.Command_Line; use Ada.Command_Line;
procedure Main is
begin
   Put_Line ("my secret is " & Argument (1));
end Main;
`;

export interface Canary {
  /** What no other program's output may hold. */
  readonly secrets: readonly string[];
  /** Runs so far, and in words what was wrong with any of them. */
  readonly runs: () => number;
  readonly faults: readonly string[];
  /** One more run, now. */
  sing(): Promise<void>;
  stop(): Promise<void>;
}

export function startCanary(base: string): Canary {
  const secrets: string[] = [];
  const faults: string[] = [];
  let runs = 0;
  const stopping = new AbortController();
  const sing = async () => {
    const secret = randomBytes(12).toString('hex');
    secrets.push(secret);
    const files = [
      { basename: 'main.adb', contents: PROGRAM },
      { basename: 'cli.txt', contents: secret },
    ];
    const result = await runProgram(base, { mode: 'run', files });
    runs++;
    const [stdout, stderr] = [text(result, 'stdout'), text(result, 'stderr')];
    if (result.status !== 0 || stderr !== '' || stdout !== `Build completed successfully.my secret is ${secret}\n`) {
      faults.push(JSON.stringify({ ...result, secret }));
    }
  };
  const goOn = async () => {
    while (!stopping.signal.aborted) {
      await sing().catch((error: unknown) => faults.push(String(error)));
      await sleep(PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const singing = goOn();
  return {
    secrets,
    faults,
    runs: () => runs,
    sing,
    async stop() {
      stopping.abort();
      await singing;
    },
  };
}
