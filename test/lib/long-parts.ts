/** The parts of `npm run test:all` outside of jest projects and under gVisor: chaos, and repeated tests. */
import { join } from 'node:path';

import type { Settings } from '../../scripts/lib/bring-up.js';
import type { Engine } from '../../scripts/lib/engine.js';
import { exitOf, type Instance } from '../../scripts/lib/instance.js';
import { canInstall } from '../../scripts/lib/packages.js';
import { checkout } from '../../scripts/lib/paths.js';
import { openGvisor } from './gvisor.js';
import { type Counts, runJest } from './jest.js';
import { FEWER_AT_A_TIME } from './test-options.js';

/**
 * Tests that run under gVisor: containment, and every third of similar tests. Builds take three to four times
 * as long there.
 */
const UNDER_GVISOR = [
  'test/e2e/(golden|reports)',
  'test/attacks',
  'test/integration/sandbox-(inspection|escapes|files)',
  'test/integration/socket-proxy',
];
/** A short `npm run test:chaos`; it counts as one test. */
const CHAOS = ['--tasks', '200', '--seed', '1', '--sabotage'];

export interface LongPart {
  readonly run: () => Promise<Counts>;
  /** Why it cannot run here. */
  readonly obstacle?: string;
}

/** @param files where the results go */
export function longParts(
  instance: Instance,
  engine: Engine,
  settings: Settings,
  files: { results: string; attacks: string; atATime: number },
): LongPart[] {
  const isRoot = process.getuid?.() === 0;
  /**
   * Fault injection under load, then deliberately broken builds that it must detect. Has a broker and an
   * engine of its own.
   */
  const chaos = async (): Promise<Counts> => {
    const args = ['--import', 'tsx', '--conditions=source', join(checkout, 'test', 'chaos', 'main.ts'), ...CHAOS];
    const status = await exitOf(
      instance.start('tool', process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] }),
    );
    return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  };
  const underGvisor = async (): Promise<Counts> => {
    const { SANDBOX_IMAGE = '', RUN_IMAGE = '' } = settings;
    const gvisor = await openGvisor(instance, engine.docker, [SANDBOX_IMAGE, RUN_IMAGE]);
    const env = {
      ...settings,
      ...gvisor,
      IMAGES_DOCKER_HOST: engine.host,
      ATTACKS_FOLDER: files.attacks,
      TEST_EVERY: '3',
    };
    const args = [...UNDER_GVISOR, ...FEWER_AT_A_TIME, '--selectProjects', 'integration', 'e2e', 'attacks'];
    return runJest(instance, args, env, join(files.results, 'gvisor.json'), files.atATime);
  };
  return [
    { run: chaos, ...(!isRoot && { obstacle: 'chaos: only root can start an engine of its own' }) },
    {
      run: underGvisor,
      ...(!canInstall() && {
        obstacle: 'gVisor: runsc comes from Debian, and only root can start an engine of its own',
      }),
    },
  ];
}
