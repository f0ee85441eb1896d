/** Defines attacks on a running service as tests, followed by final checks. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';

import type { AttackResult } from './attack-table.js';
import { containersOf, isRunning, stop } from '../../helpers/deployment.js';
import { eventually } from '../../helpers/eventually.js';
import { Through, type Attack, type AttackClass } from './attack.js';
import { partOf } from '../../helpers/part.js';
import { openWorld, type World } from './world.js';

const ATTACK_MS = 120_000;
/** The last process of a removed container may take a moment to end. */
const GONE_MS = 10_000;
export interface AttackRun {
  /** Name of the results file in the folder that ATTACKS_FOLDER names. */
  readonly name: string;
  readonly classes: readonly AttackClass[];
  /** Settings of the service. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Defines a test for each attack. An attack has failed only if its effect was looked for from outside and not
 * found.
 */
export function defineAttacks({ name: run, classes, env = {} }: AttackRun): void {
  jest.setTimeout(ATTACK_MS);

  const results = new Map<Attack, AttackResult>();
  let opened: Promise<World> | undefined;
  /** Opened by the first test, since concurrent tests may start before a beforeAll hook has finished. */
  const theWorld = () => (opened ??= openWorld(env));

  beforeAll(async () => void (await theWorld()), 60_000);
  afterAll(async () => {
    const inOrder = classes.flatMap(({ attacks }) => attacks.flatMap((attack) => results.get(attack) ?? []));
    writeResults(run, inOrder);
    await (await theWorld()).close();
  }, 60_000);

  for (const { name: kind, attacks } of classes) {
    describe(kind, () => {
      for (const attack of partOf(attacks)) {
        if (attack.architecture !== undefined && attack.architecture !== process.arch) {
          results.set(attack, { class: kind, name: attack.name, ms: 0, outcome: 'not made' });
          const name = `${attack.name} (is written for ${attack.architecture}, and this is ${process.arch})`;
          it.skip(name, () => undefined); // Machine code for another processor: NOT MADE in the table.
          continue;
        }
        it.concurrent(
          attack.name,
          async () => {
            const world = await theWorld();
            const begin = performance.now();
            const error = await tryOut(world, attack).then(
              () => undefined,
              (reason: unknown) => reason,
            );
            results.set(attack, {
              class: kind,
              name: attack.name,
              ms: performance.now() - begin,
              outcome: outcomeOf(error),
            });
            if (error !== undefined) throw error as Error;
          },
          ATTACK_MS,
        );
      }
    });
  }

  describe('after all attacks', () => {
    it('the service runs programs, also for a user during the attacks', async () => {
      const { canary } = await theWorld();
      await canary.stop();
      await canary.runOnce();
      expect(canary.runs()).toBeGreaterThan(1);
      expect(canary.faults).toEqual([]);
    });

    it('no process of the service has restarted', async () => {
      const { service } = await theWorld();
      expect(
        [...service.workers, ...service.widgets.map(({ process }) => process)].filter((child) => !isRunning(child)),
      ).toEqual([]);
    });

    it('no container or process is left', async () => {
      const { service, watch, containers } = await theWorld();
      // The warm containers go with their workers.
      await Promise.all(service.workers.map((worker) => stop(worker)));
      const left = async () => (await containersOf(service.namespace)) + watch.stillIn(containers).length;
      await eventually('no container or process is left', async () => (await left()) === 0, {
        limitMs: GONE_MS,
        everyMs: 100,
      });
      expect(containers.size).toBeGreaterThan(classes.length);
    });

    it('no trap was visited', async () => {
      expect((await theWorld()).traps.visits).toEqual([]);
    });

    it('no process in a container had raised priority', async () => {
      const { watch, containers } = await theWorld();
      expect(watch.privileged(containers)).toEqual([]);
    });

    it('builds have started only compilers', async () => {
      const { watch, containers } = await theWorld();
      // Of a gVisor container, the host sees only gVisor's own processes.
      const strangers = watch.strangers(containers).filter((each) => !/^\d+ \S*\/gvisor\/usr\/bin\/runsc /.test(each));
      expect(strangers).toEqual([]);
    });

    it('the log has no error or crash', async () => {
      const lines = (await theWorld()).service.log();
      expect(lines.filter(({ level, text }) => Number(level) >= 50 || text !== undefined)).toEqual([]);
    });
  });
}

function writeResults(run: string, results: readonly AttackResult[]): void {
  const folder = process.env.ATTACKS_FOLDER;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${run}.json`), JSON.stringify(results));
}

function outcomeOf(error: unknown): AttackResult['outcome'] {
  if (error === undefined) return 'held';
  return error instanceof Through ? 'through' : 'not made';
}

async function tryOut(world: World, { attack, tries }: Attack): Promise<void> {
  const token = `t${randomBytes(6).toString('hex')}`;
  const error: unknown = await attack(world, token).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  // A visible effect counts even if the attack reports that it was not made.
  const effects = [...(error instanceof Through ? [error.message] : []), ...world.effectsOf(token)];
  if (effects.length > 0) throw new Through(`${tries} It did: ${effects.join('; ').slice(0, 2000)}`);
  if (error !== undefined) throw error as Error;
}
