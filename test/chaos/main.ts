/** `npm run test:chaos -- --tasks N --seed S [--minutes M] [--sabotage]`: see README.md. */
import { randomBytes } from 'node:crypto';

import { bringUp } from '../../scripts/lib/bring-up.js';
import { claim } from '../../scripts/lib/claim.js';
import { Engine } from '../../scripts/lib/engine.js';
import { BROKER_STAGES, PROGRAM_STAGES } from '../../scripts/lib/instance.js';
import { checkout } from '../../scripts/lib/paths.js';
import { Problem, runToExit, say, surviveLostOutput } from '../../scripts/lib/report.js';
import { TestRun } from '../../scripts/lib/test-run.js';
import { untilStopped } from '../../scripts/lib/until-stopped.js';
import { openMachine } from './machine.js';
import { runChaos, type ChaosResult } from './run.js';
import { scheduleFaults } from './schedule.js';
import { faultTable } from './table.js';

const CLIENTS = 8;
const PATIENCE_MS = 180_000;
const HOUR_MS = 3_600_000;

async function main(): Promise<number> {
  surviveLostOutput();
  const options = readOptions(process.argv.slice(2));
  const run = new TestRun(randomBytes(4).toString('hex'));
  const engine = new Engine();
  const { instance, abandoned } = await claim(run.name, run.name, run.mark);
  const stop = async () => {
    instance.refuse();
    await instance.end([...PROGRAM_STAGES, ...BROKER_STAGES]);
    instance.close(process.env.KEEP_LOGS ? 'keep folder' : 'remove folder');
    await engine.close();
  };
  return untilStopped(
    async () => {
      const { settings, ownBroker } = await bringUp(instance, engine, { abandoned, newBroker: true });
      if (ownBroker === undefined) throw new Error('the broker is not our own');
      const machine = await openMachine(instance, ownBroker, engine.docker, [settings.SANDBOX_IMAGE, settings.RUN_IMAGE]);
      say('chaos', `${options.tasks} tasks, seed ${options.seed}`);
      const result = await runChaos(instance, machine, {
        ...options,
        name: 'chaos',
        clients: CLIENTS,
        patienceMs: PATIENCE_MS,
        root: checkout,
        faults: scheduleFaults(options.seed),
        settings,
      });
      await machine.close();
      return tell(result);
    },
    { stop, stopAtOnce: async () => { await instance.kill(); await stop(); } },
    1,
  );
}

/** The table and what went wrong; the last line counts. */
function tell({ strikes, sightings, lost, doubled, wrong, leaked, restarted }: ChaosResult): number {
  for (const line of [...lost, ...doubled, ...wrong, ...leaked]) console.log(line);
  for (const line of faultTable(strikes, sightings)) console.log(line);
  console.log(`${restarted} tasks were seen to be started again`);
  console.log(`${sightings.length} tasks: lost ${lost.length}, doubled ${doubled.length}, wrong ${wrong.length}, leaked ${leaked.length}`);
  return lost.length + doubled.length + wrong.length + leaked.length === 0 ? 0 : 1;
}

interface Options {
  tasks: number;
  seed: number;
  atMostMs: number;
}

function readOptions(args: readonly string[]): Options {
  const options: Options = { tasks: 200, seed: 1, atMostMs: HOUR_MS * 4 };
  for (let i = 0; i < args.length; i += 2) {
    const [name, value] = [args[i], Number(args[i + 1])];
    if (!(value > 0)) throw new Problem(`${name} needs a number: --tasks 200 --seed 1 --minutes 10`);
    if (name === '--tasks') options.tasks = value;
    else if (name === '--seed') options.seed = value;
    else if (name === '--minutes') options.atMostMs = value * 60_000;
    else throw new Problem(`${name} is no option: --tasks, --seed and --minutes are`);
  }
  return options;
}

runToExit(main);
