/** Another user, who runs small programs one after another during the attacks. */
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
  /** Texts that no other program's output may contain. */
  readonly secrets: readonly string[];
  /** The number of runs so far. */
  readonly runs: () => number;
  readonly faults: readonly string[];
  /** Runs one more program. */
  runOnce(): Promise<void>;
  stop(): Promise<void>;
}

export function startCanary(base: string): Canary {
  const secrets: string[] = [];
  const faults: string[] = [];
  let runs = 0;
  const stopping = new AbortController();
  const runOnce = async () => {
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
  const runRepeatedly = async () => {
    while (!stopping.signal.aborted) {
      await runOnce().catch((error: unknown) => faults.push(String(error)));
      await sleep(PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const running = runRepeatedly();
  return {
    secrets,
    faults,
    runs: () => runs,
    runOnce,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
