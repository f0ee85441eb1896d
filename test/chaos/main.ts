/** `npm run test:chaos -- --tasks N --seed S [--minutes M] [--clients C] [--sabotage]`: see CONTRIBUTING.md. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

import { bringUp } from '../../scripts/lib/bring-up.js';
import { Engine } from '../../scripts/lib/engine.js';
import { Instance } from '../../scripts/lib/instance.js';
import { checkout } from '../../scripts/lib/paths.js';
import { Problem, runToExit, say } from '../../scripts/lib/report.js';
import { untilStopped } from '../../scripts/lib/until-stopped.js';
import { openMachine, type Machine } from './machine.js';
import { runChaos, type ChaosOptions, type ChaosResult } from './run.js';
import { isCaught, SABOTAGES, sabotagedBuild } from './sabotage.js';
import { scheduleFaults } from './schedule.js';
import { faultTable } from './table.js';

/**
 * More clients make the run shorter, with fewer faults. In a sabotage run, tasks that wait behind others would
 * look lost.
 */
const CLIENTS = 8;
const PATIENCE_MS = 180_000;
const HOUR_MS = 3_600_000;

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  const engine = new Engine();
  // The test run's identifier, if this run is part of one, so that its last test finds remains.
  const name = `chaos-${process.env.RUN_ID ?? randomBytes(4).toString('hex')}`;
  const instance = await Instance.open(name, name);
  const stop = async () => {
    instance.refuse();
    await instance.end();
    await engine.removeTraces(name);
    instance.close(Boolean(process.env.KEEP_LOGS));
    await engine.close();
  };
  return untilStopped(
    async () => {
      const { settings, ownBroker } = await bringUp(instance, engine, { newBroker: true });
      if (ownBroker === undefined) throw new Error('the broker is not our own');
      const machine = await openMachine(instance, ownBroker, engine.docker, [
        settings.SANDBOX_IMAGE,
        settings.RUN_IMAGE,
      ]);
      const common = { seed: options.seed, settings };
      const missed = options.sabotage ? await sabotage(instance, machine, common) : 0;
      say('chaos', `${options.tasks} tasks, seed ${options.seed}`);
      const result = await runChaos(instance, machine, {
        ...options,
        ...common,
        name: 'chaos',
        patienceMs: PATIENCE_MS,
        root: checkout,
        faults: scheduleFaults(options.seed),
        replyExpiryMs: 60_000,
        // A dead worker's container goes 10 s after its end; one that never started, after its lifetime.
        sweptWithinMs: 150_000,
      });
      await machine.close();
      return tell(result) + missed === 0 ? 0 : 1;
    },
    {
      stop,
      stopAtOnce: async () => {
        instance.kill();
        await stop();
      },
    },
    1,
  );
}

/** Runs the sabotaged builds; resolves with the number of undetected ones. */
async function sabotage(
  instance: Instance,
  machine: Machine,
  common: Pick<ChaosOptions, 'seed' | 'settings'>,
): Promise<number> {
  let missed = 0;
  for (const [number, each] of SABOTAGES.entries()) {
    const result = await runChaos(instance, machine, {
      ...common,
      name: `sabotage-${number}`,
      clients: CLIENTS,
      tasks: each.tasks,
      atMostMs: PATIENCE_MS,
      patienceMs: 20_000,
      root: await sabotagedBuild(each, checkout, join(instance.folder, `sabotage-${number}`)),
      faults: each.faults(),
      replyExpiryMs: 10_000,
      sweptWithinMs: 12_000,
    });
    const caught = isCaught(each, result);
    if (!caught) missed++;
    say('sabotage', `${each.name}: ${caught ? 'caught' : 'NOT CAUGHT'} (${counts(result)})`);
    await machine.clear();
  }
  return missed;
}

/** Prints the table, the errors, and a final line with the totals. */
function tell(result: ChaosResult): number {
  const { strikes, sightings, lost, doubled, wrong, leaked, restarted } = result;
  for (const line of [...lost, ...doubled, ...wrong, ...leaked]) console.log(line);
  for (const line of faultTable(strikes, sightings)) console.log(line);
  console.log(`${restarted} tasks were seen to be started again`);
  console.log(`${sightings.length} tasks: ${counts(result)}`);
  return lost.length + doubled.length + wrong.length + leaked.length;
}

const counts = ({ lost, doubled, wrong, leaked }: ChaosResult) =>
  `lost ${lost.length}, doubled ${doubled.length}, wrong ${wrong.length}, leaked ${leaked.length}`;

interface Options {
  tasks: number;
  seed: number;
  atMostMs: number;
  clients: number;
  /** Whether the run includes the sabotaged builds. */
  sabotage: boolean;
}

function readOptions(args: readonly string[]): Options {
  const options: Options = {
    tasks: 200,
    seed: 1,
    atMostMs: HOUR_MS * 4,
    clients: CLIENTS,
    sabotage: args.includes('--sabotage'),
  };
  const numbers = args.filter((word) => word !== '--sabotage');
  for (let i = 0; i < numbers.length; i += 2) {
    const [name, value] = [numbers[i], Number(numbers[i + 1])];
    if (!(value > 0)) throw new Problem(`${name} needs a number: --tasks 200 --seed 1 --minutes 10`);
    if (name === '--tasks') options.tasks = value;
    else if (name === '--seed') options.seed = value;
    else if (name === '--minutes') options.atMostMs = value * 60_000;
    else if (name === '--clients') options.clients = value;
    else throw new Problem(`${name} is no option: --tasks, --seed, --minutes, --clients and --sabotage are`);
  }
  return options;
}

runToExit(main);
