import { existsSync, readFileSync } from 'node:fs';

import Docker from 'dockerode';

import { leaveDockerd, useDockerd } from './dockerd.js';
import { engineAddress, USUAL_SOCKET } from './engine-address.js';
import type { Instance } from './instance.js';
import { canInstall, hasCommand, install, type Need } from './packages.js';
import { Problem } from './report.js';
import { removeTraces } from './traces.js';

const ANSWER_MS = 10_000;
const REMOVE_MS = 3_000;
const USUAL = `unix://${USUAL_SOCKET}`;

/** The container engine that Docker's own client would use. As root on Debian, installs and starts one if needed. */
export class Engine {
  readonly host: string;
  readonly docker: Docker;

  constructor() {
    const address = engineAddress();
    // For dockerode, here and in the processes that are started.
    Object.assign(process.env, address);
    this.host = address.DOCKER_HOST;
    this.docker = new Docker();
  }

  /** Resolves, with a description, when the engine answers. */
  async open(instance: Instance): Promise<string> {
    const refusal = await this.refusal();
    if (refusal === undefined) {
      // The last command that used our engine may be about to stop it.
      if (this.host === USUAL) await useDockerd('if it is ours', instance.signal);
      return `used at ${this.host}`;
    }
    if (!this.mayStart()) throw new Problem(`No container engine answers at ${this.host} (${refusal}). ${HELP}`);
    await install(instance, engineNeeds);
    await useDockerd('start it', instance.signal);
    return `dockerd started on ${USUAL_SOCKET}`;
  }

  /** The default runtime of containers. */
  async defaultRuntime(): Promise<string> {
    return ((await this.docker.info()) as { DefaultRuntime: string }).DefaultRuntime;
  }

  /** Stops the engine if the project started it and no other command needs it. */
  async close(): Promise<'stopped' | 'left running'> {
    return (await leaveDockerd()) ? 'stopped' : 'left running';
  }

  /** Removes everything whose name or label contains `mark`. No other command may use it. */
  async removeTraces(mark: string, kinds?: readonly string[]): Promise<void> {
    // Without an engine there is nothing to remove.
    await removeTraces(new Docker({ timeout: REMOVE_MS }), mark, kinds).catch(() => {});
  }

  private refusal(): Promise<string | undefined> {
    return new Docker({ timeout: ANSWER_MS }).ping().then(
      () => undefined,
      (error: Error) => error.message,
    );
  }

  private mayStart(): boolean {
    return this.host === USUAL && process.getuid?.() === 0 && (canInstall() || hasCommand('dockerd'));
  }
}

const HELP =
  'Install Docker (https://docs.docker.com/get-started/get-docker/), start it, and let your user use it; ' +
  'or set DOCKER_HOST to an engine that runs elsewhere.';

const engineNeeds: readonly Need[] = [
  { debianPackage: 'docker.io', isMissing: () => !hasCommand('dockerd') },
  {
    // Loads Docker's profile for containers on a kernel with AppArmor.
    debianPackage: 'apparmor',
    isMissing: () => {
      const flag = '/sys/module/apparmor/parameters/enabled';
      return existsSync(flag) && readFileSync(flag, 'utf8').startsWith('Y') && !hasCommand('apparmor_parser');
    },
  },
];
