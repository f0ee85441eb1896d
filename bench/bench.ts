/** What the rows measure with: a service with the settings of `npm start`, and the shell. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import Docker from 'dockerode';

import { environment } from '../test/helpers/environment.js';
import { deploy, type Deployment } from '../test/helpers/deployment.js';
import { buildStandIn, removeStandIns } from '../test/images/gnatprove-stand-in/stand-in-images.js';
import { Shell } from './shell.js';

/** Before each sample, of either side: the machine is idle then, and what is made ahead has been made. */
const REST_MS = 1500;

export interface Bench {
  readonly shell: Shell;
  readonly service: Deployment;
  /** For what is written on the way; it goes with the bench. */
  readonly folder: string;
  /** Has `work` done with another one, with more settings and builds of its own, which ends with it. */
  withAnother<T>(env: Record<string, string>, workers: number, work: (service: Deployment) => Promise<T>): Promise<T>;
  imageWithStandIn(): Promise<string>;
  /** How many the broker has open, if it is our own. */
  channels(): Promise<number>;
  rest(): Promise<void>;
  close(): Promise<void>;
}

/** What came out: times in ms, unless the row says otherwise. */
export interface Figures {
  /** The service's, and beside it the shell's, where it is a ratio of these. */
  readonly service: number;
  readonly shell?: number;
  readonly unit: string;
  readonly samples: number;
  /** More of what was seen, in a few words. */
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
