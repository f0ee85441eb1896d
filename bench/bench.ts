/** The tools of the measurements: a service with the settings of `npm start`, and the shell. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import Docker from 'dockerode';

import { environment } from '../test/helpers/environment.js';
import { deploy, type Deployment } from '../test/helpers/deployment.js';
import { buildStandIn, removeStandIns } from '../test/images/gnatprove-stand-in/stand-in-images.js';
import { Shell } from './shell.js';

/** Pause before each sample, until the machine is idle and the warm containers exist. */
const REST_MS = 1500;

export interface Bench {
  readonly shell: Shell;
  readonly service: Deployment;
  /** A folder for temporary files, removed at the end. */
  readonly folder: string;
  /** Runs `work` with another service, which has more settings and its own build cache. */
  withAnother<T>(env: Record<string, string>, workers: number, work: (service: Deployment) => Promise<T>): Promise<T>;
  imageWithStandIn(): Promise<string>;
  /** The number of open channels of our own broker. */
  channels(): Promise<number>;
  rest(): Promise<void>;
  close(): Promise<void>;
}

/** The result of a row: times in ms, unless the row says otherwise. */
export interface Figures {
  /** The service's figure, and the shell's if the row is a ratio. */
  readonly service: number;
  readonly shell?: number;
  readonly unit: string;
  readonly samples: number;
  /** Further results in a few words. */
  readonly note?: string;
}

export async function openBench(channels: Bench['channels']): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), `code-widgets-${process.env.RUN_ID ?? 'bench'}-`));
  const docker = new Docker();
  const namespace = environment('NAMESPACE');
  const another = (env: Record<string, string> = {}, workers = 1) => {
    const builds = mkdtempSync(join(folder, 'builds-'));
    return deploy({
      widgets: 1,
      workers,
      env: { LOG_LEVEL: 'warn', BUILD_CACHE_FOLDER: builds, WAITING_TASKS: '1000', ...env },
    });
  };
  const shell = await Shell.open(environment('SANDBOX_IMAGE'));
  const service = await another();
  return {
    shell,
    service,
    folder,
    async withAnother(env, workers, work) {
      const other = await another(env, workers);
      return work(other).finally(() => other.end());
    },
    imageWithStandIn: () => buildStandIn(docker, 14, { base: environment('SANDBOX_IMAGE'), namespace }),
    channels,
    rest: () => sleep(REST_MS),
    async close() {
      await service.end();
      await shell.close();
      await removeStandIns(docker, namespace);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
