import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { attackTable } from './lib/attack-table.js';
import { removeBrokerImage } from './lib/broker-image.js';
import { bringUp, type Parts, type Settings } from './lib/bring-up.js';
import { runChaos } from './lib/chaos.js';
import { claim } from './lib/claim.js';
import { composeNeed } from './lib/compose.js';
import { Engine } from './lib/engine.js';
import { fuzzTable } from './lib/fuzz-table.js';
import { BROKER_STAGES, type Instance, PROGRAM_STAGES } from './lib/instance.js';
import { add, type Counts, runJest, runJestTwice } from './lib/jest.js';
import { withLock } from './lib/lock.js';
import { machineFolder } from './lib/paths.js';
import { runToExit, say, seconds, surviveLostOutput } from './lib/report.js';
import { GVISOR, readTestOptions, type TestOptions } from './lib/test-options.js';
import { attacksFolder, onRabbitmq4, rabbitmq4Paths, runPartOnRabbitmq4, runPartUnderGvisor, runtimeSettings } from './lib/test-parts.js';
import { TestRun } from './lib/test-run.js';
import { untilStopped } from './lib/until-stopped.js';

/** Half of the time of a run of everything, its tests wait: for limits, faults, restarts. */
const FILES_AT_A_TIME = 2;

/**
 * `npm test [-- [--broker 4] arguments for jest]`, `npm run test:attacks [-- --runtime <name>]`, and
 * `npm run test:fuzz [-- --inputs <number> --seed <number>]`: brings up what the tests need under a
 * name of this run, runs them, takes it all down, and has the last tests look for what is left.
 */
async function main(): Promise<number> {
  surviveLostOutput();
  const options = readTestOptions(process.argv.slice(2));
  const run = new TestRun(randomBytes(4).toString('hex'));
  const engine = new Engine();
  const { instance, abandoned } = await claim(run.name, run.name, run.mark);
  mkdirSync(run.resultsFolder);
  const begin = performance.now();
  return untilStopped(
    async () => {
      const parts = await bringUp(instance, engine, { abandoned, tools: [composeNeed] });
      const runtime = options.runtime ?? (await engine.defaultRuntime());
      const settings = { ...parts.settings, ...(await runtimeSettings(instance, engine, parts, options.runtime)) };
      const results = run.resultsFolder;
      const runOn = (broker: Settings) => runTests(instance, { ...settings, ...broker }, results, options, runtime);
      const turn = options.isWhole ? takeTurn : <T>(part: () => Promise<T>) => part();
      const tests = await turn(() => (options.isOnRabbitmq4 ? onRabbitmq4(instance, engine, results, runOn) : runOn({})));
      const others = options.isWhole
        ? [
            // The chaos run has a broker and an engine of its own, and is no less right for being slow.
            ...(await turn(() => Promise.all([runPartOnRabbitmq4(instance, engine, parts, results), runChaos(instance)]))),
            await turn(() => runPartUnderGvisor(instance, engine, parts, results)),
          ]
        : [];
      await parts.ownBroker?.exportDefinitions(definitionsPath(results));
      await removeBrokerImage(engine.docker, instance.namespace);
      const leftovers = await lookForLeftovers(instance, parts, results);
      const status = conclude([tests, ...others, leftovers].reduce(add), performance.now() - begin);
      for (const each of new Set([runtime, GVISOR])) {
        for (const line of attackTable(each, attacksFolder(results, each))) console.log(line);
      }
      for (const line of fuzzTable(fuzzPath(results))) console.log(line);
      return status;
    },
    {
      stop: () => stop(instance, engine, run),
      stopAtOnce: async () => {
        await instance.kill();
        await stop(instance, engine, run);
      },
    },
    1,
  );
}

/** Runs of everything in several checkouts take turns, part by part: each of them is as much as two processors can bear in time. */
function takeTurn<T>(part: () => Promise<T>): Promise<T> {
  return withLock(join(machineFolder, 'tests.lock'), part, () => say('tests', 'waiting for those of another checkout ...'));
}

function runTests(instance: Instance, settings: Settings, results: string, { jest, inputs, seed, isWhole }: TestOptions, runtime: string): Promise<Counts> {
  const files = { ATTACKS_FOLDER: attacksFolder(results, runtime), FUZZ_FILE: fuzzPath(results) };
  const fuzz = { ...(inputs !== undefined && { FUZZ_INPUTS: inputs }), ...(seed !== undefined && { FUZZ_SEED: seed }) };
  const env = { ...settings, ...files, ...fuzz };
  const path = join(results, 'tests.json');
  return isWhole ? runJestTwice(instance, jest, env, path, FILES_AT_A_TIME) : runJest(instance, jest, env, path);
}

/** With everything of this run ended but our use of the engine, which is asked for containers. */
async function lookForLeftovers(instance: Instance, { settings, ownBroker }: Parts, results: string): Promise<Counts> {
  await instance.end([...PROGRAM_STAGES, ...BROKER_STAGES]);
  instance.close('remove folder');
  const own = ownBroker ? { BROKER_DEFINITIONS: definitionsPath(results) } : {};
  const { definitions, deprecated } = rabbitmq4Paths(results);
  const four = existsSync(deprecated) ? { BROKER4_DEFINITIONS: definitions, BROKER4_DEPRECATED: deprecated } : {};
  const args = ['--selectProjects', 'leftovers'];
  return runJest(instance, args, { ...settings, ...own, ...four }, join(results, 'leftovers.json'));
}

function fuzzPath(results: string): string {
  return join(results, 'fuzz.json');
}

function definitionsPath(results: string): string {
  return join(results, 'definitions.json');
}

function conclude({ passed, failed, atSecondTry = [] }: Counts, milliseconds: number): number {
  for (const file of atSecondTry) say('tests', `${file} failed at first, and not when it was run once more: see why above`);
  say('tests', `${passed} have passed and ${failed} have failed, in ${seconds(milliseconds)}`);
  // For .ci/run, which has more to count.
  if (process.env.COUNTS_FILE) writeFileSync(process.env.COUNTS_FILE, `${passed} ${failed}\n`);
  return failed === 0 ? 0 : 1;
}

/** Ends and removes all that can be of this run, whether its tests were allowed to end or not. */
async function stop(instance: Instance, engine: Engine, run: TestRun): Promise<void> {
  instance.refuse();
  await instance.end([...PROGRAM_STAGES, ...BROKER_STAGES]);
  instance.close('remove folder');
  // What tests had started that were interrupted, or that forgot about it and have failed for it.
  await run.remove();
  await engine.removeTraces(run.id);
  if ((await engine.close()) === 'stopped') say('engine', 'dockerd stopped');
}

runToExit(main);
