/** Attacks on a running service, as tests, and the looks at it when all were made. */
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
/** A removed container's last process may be a moment behind. */
const GONE_MS = 10_000;
export interface AttackRun {
  /** Of the file that the results go to, in the folder that ATTACKS_FOLDER names. */
  readonly name: string;
  readonly classes: readonly AttackClass[];
  /** Settings of the service. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Defines a test for each attack. An attack is held only if its effect was looked for from outside and is not
 * there.
 */
export function defineAttacks({ name: run, classes, env = {} }: AttackRun): void {
  jest.setTimeout(ATTACK_MS);

  const results = new Map<Attack, AttackResult>();
  let opened: Promise<World> | undefined;
  /** Opened by whoever comes first: concurrent tests may begin before what is done once for all. */
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
          it.skip(`${attack.name} (is written for ${attack.architecture}, and this is ${process.arch})`, () =>
            undefined); // Machine code of another processor; NOT MADE in the table.
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

  describe('after all of them', () => {
    it('the service runs programs as before, for whoever ran some meanwhile too', async () => {
      const { canary } = await theWorld();
      await canary.stop();
      await canary.sing();
      expect(canary.runs()).toBeGreaterThan(1);
      expect(canary.faults).toEqual([]);
    });

    it('every process of the service is the one that was started', async () => {
      const { service } = await theWorld();
      expect(
        [...service.workers, ...service.widgets.map(({ process }) => process)].filter((child) => !isRunning(child)),
      ).toEqual([]);
    });

    it('no container is left, nor a process that was in one', async () => {
      const { service, watch, containers } = await theWorld();
      // What waited for tasks to come goes with the workers.
      await Promise.all(service.workers.map((worker) => stop(worker)));
      const left = async () => (await containersOf(service.namespace)) + watch.stillIn(containers).length;
      await eventually('no container or process is left', async () => (await left()) === 0, {
        limitMs: GONE_MS,
        everyMs: 100,
      });
      expect(containers.size).toBeGreaterThan(classes.length);
    });

    it('nobody was where nobody may be', async () => {
      expect((await theWorld()).traps.visits).toEqual([]);
    });

    it('no process in a container has gone before others', async () => {
      const { watch, containers } = await theWorld();
      expect(watch.privileged(containers)).toEqual([]);
    });

    it('no build has started anything but compilers', async () => {
      const { watch, containers } = await theWorld();
      // gVisor's own processes are all that the host sees of a container under it.
      const strangers = watch.strangers(containers).filter((each) => !/^\d+ \S*\/gvisor\/usr\/bin\/runsc /.test(each));
      expect(strangers).toEqual([]);
    });

    it('the log has no error, and no crash', async () => {
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
  // An effect tells of an attack that was made, whatever was missing of it.
  const effects = [...(error instanceof Through ? [error.message] : []), ...world.effectsOf(token)];
  if (effects.length > 0) throw new Through(`${tries} It did: ${effects.join('; ').slice(0, 2000)}`);
  if (error !== undefined) throw error as Error;
}
