import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { bringUp, type Parts } from './lib/bring-up.js';
import { claim } from './lib/claim.js';
import { composeNeed } from './lib/compose.js';
import { Engine } from './lib/engine.js';
import { BROKER_STAGES, type Instance, PROGRAM_STAGES } from './lib/instance.js';
import { add, type Counts, runJest } from './lib/jest.js';
import { runToExit, say, seconds, surviveLostOutput } from './lib/report.js';
import { TestRun } from './lib/test-run.js';
import { untilStopped } from './lib/until-stopped.js';

/**
 * `npm test [-- arguments for jest]`: brings up what the tests need under a name of this run, runs
 * them, takes it all down, and has the last tests look for what is left.
 */
async function main(): Promise<number> {
  surviveLostOutput();
  const run = new TestRun(randomBytes(4).toString('hex'));
  const engine = new Engine();
  const { instance, abandoned } = await claim(run.name, run.name, run.mark);
  mkdirSync(run.resultsFolder);
  const begin = performance.now();
  return untilStopped(
    async () => {
      const parts = await bringUp(instance, engine, abandoned, [composeNeed]);
      const tests = await runTests(instance, parts, run.resultsFolder);
      const leftovers = await lookForLeftovers(instance, parts, run.resultsFolder);
      return conclude(add(tests, leftovers), performance.now() - begin);
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

async function runTests(instance: Instance, { settings, broker }: Parts, results: string): Promise<Counts> {
  const args = process.argv.slice(2);
  // The file names first: what follows --selectProjects counts as a project.
  const projects = args.includes('--selectProjects') ? [] : ['--selectProjects', 'unit', 'integration', 'e2e'];
  const counts = await runJest(instance, [...args, ...projects], settings, join(results, 'tests.json'));
  await broker.exportDefinitions?.(definitionsPath(results));
  return counts;
}

/** With everything of this run ended but our use of the engine, which is asked for containers. */
async function lookForLeftovers(instance: Instance, { settings, broker }: Parts, results: string): Promise<Counts> {
  await instance.end([...PROGRAM_STAGES, ...BROKER_STAGES]);
  instance.close('remove folder');
  const own = broker.exportDefinitions ? { BROKER_DEFINITIONS: definitionsPath(results) } : {};
  const args = ['--selectProjects', 'leftovers'];
  return runJest(instance, args, { ...settings, ...own }, join(results, 'leftovers.json'));
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
