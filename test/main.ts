import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { attackTable } from './attacks/lib/attack-table.js';
import { fuzzTable } from './fuzz/lib/fuzz-table.js';
import { openGvisor } from './lib/gvisor.js';
import { add, type Counts, runJest } from './lib/jest.js';
import { longParts } from './lib/long-parts.js';
import { testNeeds } from './lib/needs.js';
import { GVISOR, readTestOptions, type TestOptions } from './lib/test-options.js';
import { bringUp, type Parts, type Settings } from '../scripts/lib/bring-up.js';
import { Engine } from '../scripts/lib/engine.js';
import { ensureImages } from '../scripts/lib/images.js';
import { Instance } from '../scripts/lib/instance.js';
import { withLock } from '../scripts/lib/lock.js';
import { install } from '../scripts/lib/packages.js';
import { runToExit, say, seconds } from '../scripts/lib/report.js';
import { untilStopped } from '../scripts/lib/until-stopped.js';

/** Tests spend half of their time waiting for limits, faults and restarts, so two files run in parallel. */
const FILES_AT_A_TIME = 2;
/**
 * `npm test [-- arguments for jest]` and its variants in package.json. Starts what the tests need under a new
 * name, runs the tests, ends everything, and checks for leftovers.
 */
async function main(): Promise<number> {
  const options = readTestOptions(process.argv.slice(2));
  const run = new TestRun(options);
  return untilStopped(() => run.run(), { stop: () => run.stop(), stopAtOnce: () => run.stopAtOnce() }, 1);
}

class TestRun {
  /** Part of the names of everything that this run creates. */
  private readonly id = randomBytes(4).toString('hex');
  private readonly engine = new Engine();
  private readonly remarks: string[] = [];
  private instance: Instance | undefined;
  private parts: Parts | undefined;

  constructor(private readonly options: TestOptions) {}

  async run(): Promise<number> {
    const begin = performance.now();
    const instance = (this.instance = await Instance.open(`test-${this.id}`, `test-${this.id}`));
    mkdirSync(this.results, { recursive: true });
    process.env.RUN_ID = this.id;
    process.env.NAMESPACES_FILE = join(this.results, 'namespaces');
    await install(instance, testNeeds(this.options.runsLongParts));
    // The tests use other namespaces, whose limits the broker's policies must not lower.
    const brokerEnv = { WAITING_TASKS: '100000', REPLY_EXPIRY_MS: '86400000' };
    const parts = (this.parts = await bringUp(instance, this.engine, { brokerEnv }));
    const { broker } = await ensureImages(instance, this.engine.docker, ['broker']);
    const runtime = this.options.runtime ?? (await this.engine.defaultRuntime());
    const env = { ...parts.settings, BROKER_IMAGE: broker, AMQP_URL: parts.amqpUrls.operator };
    const underRuntime = { ...env, ...(await this.runtimeSettings(parts)) };
    if (process.platform !== 'linux')
      this.remarks.push(
        'not run: attacks, memory and the socket proxy: only Linux shows these (jest.config.ts: LINUX_ONLY)',
      );
    else if (process.getuid?.() !== 0)
      this.remarks.push("not run: what the attacks' processes execute, seen from the host: only root sees it");
    const counts = [await this.takeTurn(() => this.jest(underRuntime, runtime))];
    if (this.options.runsLongParts) counts.push(...(await this.longParts(env)));
    counts.push(await this.leftovers(env));
    return this.conclude(counts.reduce(add), performance.now() - begin, runtime);
  }

  /** Ends and removes everything of this run, even if tests still run. */
  async stop(): Promise<void> {
    this.instance?.refuse();
    await this.instance?.end();
    await this.engine.removeTraces(this.id);
    this.instance?.close(false);
    if ((await this.engine.close()) === 'stopped') say('engine', 'dockerd stopped');
  }

  stopAtOnce(): Promise<void> {
    this.instance?.kill();
    return this.stop();
  }

  private get results(): string {
    return join(this.own.folder, 'results');
  }

  private get own(): Instance {
    if (!this.instance) throw new Error('the run has not begun');
    return this.instance;
  }

  /** Full runs of several checkouts run one after another, since one saturates two processors. */
  private takeTurn<T>(part: () => Promise<T>): Promise<T> {
    if (!this.options.runsAll && !this.options.runsLongParts) return part();
    return withLock('tests', part, () => say('tests', 'waiting for those of another checkout ...'));
  }

  private async runtimeSettings({ settings }: Parts): Promise<Settings> {
    const { runtime } = this.options;
    if (runtime !== GVISOR) return runtime === undefined ? {} : { SANDBOX_RUNTIME: runtime };
    const gvisor = await openGvisor(this.own, this.engine.docker, [settings.SANDBOX_IMAGE, settings.RUN_IMAGE]);
    return { ...gvisor, IMAGES_DOCKER_HOST: this.engine.host };
  }

  private jest(settings: Settings, runtime: string): Promise<Counts> {
    const { jest, inputs, seed, runsAll, runsLongParts } = this.options;
    const env = {
      ...settings,
      ATTACKS_FOLDER: this.attacksFolder(runtime),
      FUZZ_FILE: join(this.results, 'fuzz.json'),
      ...(inputs !== undefined && { FUZZ_INPUTS: inputs }),
      ...(seed !== undefined && { FUZZ_SEED: seed }),
    };
    return runJest(
      this.own,
      jest,
      env,
      join(this.results, 'tests.json'),
      runsAll || runsLongParts ? FILES_AT_A_TIME : 1,
    );
  }

  private async longParts(settings: Settings): Promise<Counts[]> {
    const counts: Counts[] = [];
    const files = { results: this.results, attacks: this.attacksFolder(GVISOR), atATime: FILES_AT_A_TIME };
    for (const { obstacle, run } of longParts(this.own, this.engine, settings, files)) {
      if (obstacle === undefined) counts.push(await this.takeTurn(run));
      if (obstacle !== undefined) this.remarks.push(`not run: ${obstacle}`);
    }
    return counts;
  }

  /** Runs last, when only the engine is still in use. */
  private async leftovers(settings: Settings): Promise<Counts> {
    const broker = this.parts?.ownBroker;
    const own: Record<string, string> = {};
    if (broker) {
      own.BROKER_DEFINITIONS = join(this.results, 'definitions.json');
      own.BROKER_DEPRECATED = join(this.results, 'deprecated');
      writeFileSync(own.BROKER_DEFINITIONS, await broker.control('export_definitions', '-'));
      const warnings = (await broker.log()).split('\n').filter((line) => /deprecated/i.test(line));
      writeFileSync(own.BROKER_DEPRECATED, warnings.join('\n'));
      await broker.remove();
    }
    await this.own.end();
    return runJest(
      this.own,
      ['--selectProjects', 'leftovers'],
      { ...settings, ...own },
      join(this.results, 'leftovers.json'),
    );
  }

  private conclude({ passed, failed }: Counts, milliseconds: number, runtime: string): number {
    say('tests', `${passed} have passed and ${failed} have failed, in ${seconds(milliseconds)}`);
    for (const remark of this.remarks) say('tests', remark);
    // For .ci/run, which adds these counts to its own.
    if (process.env.COUNTS_FILE) writeFileSync(process.env.COUNTS_FILE, `${passed} ${failed}\n`);
    for (const each of new Set([runtime, GVISOR])) {
      for (const line of attackTable(each, this.attacksFolder(each))) console.log(line);
    }
    for (const line of fuzzTable(join(this.results, 'fuzz.json'))) console.log(line);
    return failed === 0 ? 0 : 1;
  }

  private attacksFolder(runtime: string): string {
    return join(this.results, `attacks-${runtime}`);
  }
}

runToExit(main);
