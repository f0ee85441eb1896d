import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { attackTable } from './lib/attack-table.js';
import { bringUp, type Parts, type Settings } from './lib/bring-up.js';
import { runChaos } from './lib/chaos.js';
import { claim } from './lib/claim.js';
import { composeNeed } from './lib/compose.js';
import { Engine } from './lib/engine.js';
import { fuzzTable } from './lib/fuzz-table.js';
import { openGvisor } from './lib/gvisor.js';
import { BROKER_STAGES, type Instance, PROGRAM_STAGES } from './lib/instance.js';
import { add, type Counts, runJest } from './lib/jest.js';
import { runToExit, say, seconds, surviveLostOutput } from './lib/report.js';
import { readTestOptions, type TestOptions } from './lib/test-options.js';
import { TestRun } from './lib/test-run.js';
import { untilStopped } from './lib/until-stopped.js';

const NONE: Counts = { passed: 0, failed: 0 };
const GVISOR = 'runsc';

/**
 * `npm test [-- arguments for jest]`, `npm run test:attacks [-- --runtime <name>]`, and
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
      const tests = await runTests(instance, settings, run.resultsFolder, options, runtime);
      const others = options.isWhole ? await runPartUnderGvisor(instance, engine, parts, run.resultsFolder) : NONE;
      const chaos = options.isWhole ? await runChaos(instance) : NONE;
      await parts.ownBroker?.exportDefinitions(definitionsPath(run.resultsFolder));
      const leftovers = await lookForLeftovers(instance, parts, run.resultsFolder);
      const status = conclude([tests, others, chaos, leftovers].reduce(add), performance.now() - begin);
      for (const each of new Set([runtime, GVISOR])) {
        for (const line of attackTable(each, attacksPath(run.resultsFolder, each))) console.log(line);
      }
      for (const line of fuzzTable(fuzzPath(run.resultsFolder))) console.log(line);
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

/** The settings of every deployment under another runtime than the engine's own choice. */
async function runtimeSettings(instance: Instance, engine: Engine, { settings }: Parts, runtime: string | undefined): Promise<Settings> {
  if (runtime === undefined) return {};
  if (runtime !== GVISOR) return { SANDBOX_RUNTIME: runtime };
  const gvisor = await openGvisor(instance, engine.docker, [settings.SANDBOX_IMAGE, settings.RUN_IMAGE]);
  return { ...gvisor, IMAGES_DOCKER_HOST: engine.host };
}

function runTests(instance: Instance, settings: Settings, results: string, { jest, inputs, seed }: TestOptions, runtime: string): Promise<Counts> {
  const files = { ATTACKS_FILE: attacksPath(results, runtime), FUZZ_FILE: fuzzPath(results) };
  const fuzz = { ...(inputs !== undefined && { FUZZ_INPUTS: inputs }), ...(seed !== undefined && { FUZZ_SEED: seed }) };
  return runJest(instance, jest, { ...settings, ...files, ...fuzz }, join(results, 'tests.json'));
}

/** Whatever a runtime has to keep in, and of what is the same under any, a third: it takes three to four times as long there. */
async function runPartUnderGvisor(instance: Instance, engine: Engine, parts: Parts, results: string): Promise<Counts> {
  const gvisor = await runtimeSettings(instance, engine, parts, GVISOR);
  const settings = { ...parts.settings, ...gvisor, ATTACKS_FILE: attacksPath(results, GVISOR), TEST_EVERY: '3' };
  const files = ['test/e2e/golden', 'test/attacks', 'test/integration/sandbox-(inspection|escapes|files)', 'test/integration/socket-proxy'];
  const args = [...files, '--selectProjects', 'integration', 'e2e', 'attacks'];
  return runJest(instance, args, settings, join(results, 'gvisor.json'));
}

/** With everything of this run ended but our use of the engine, which is asked for containers. */
async function lookForLeftovers(instance: Instance, { settings, ownBroker }: Parts, results: string): Promise<Counts> {
  await instance.end([...PROGRAM_STAGES, ...BROKER_STAGES]);
  instance.close('remove folder');
  const own = ownBroker ? { BROKER_DEFINITIONS: definitionsPath(results) } : {};
  const args = ['--selectProjects', 'leftovers'];
  return runJest(instance, args, { ...settings, ...own }, join(results, 'leftovers.json'));
}

function attacksPath(results: string, runtime: string): string {
  return join(results, `attacks-${runtime}.json`);
}

function fuzzPath(results: string): string {
  return join(results, 'fuzz.json');
}

function definitionsPath(results: string): string {
  return join(results, 'definitions.json');
}

function conclude({ passed, failed }: Counts, milliseconds: number): number {
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
