import { existsSync, readFileSync } from 'node:fs';

import Docker from 'dockerode';

import { answers, SharedDockerd, usualPlace } from './dockerd.js';
import { hasCommand, type Need } from './packages.js';
import { Problem } from './report.js';
import { removeTraces } from './traces.js';

const GIVEN_MS = 10_000;
const REMOVE_MS = 3_000;
/** An idle engine stops in half a second. */
const STOP_MS = 2_500;

/** The container engine: the one at DOCKER_HOST, else the one at the usual socket, started if need be. */
export class Engine {
  readonly docker: Docker;
  /** For the environment of whoever uses the same engine. */
  readonly host: string;
  private readonly isGiven: boolean;
  private readonly address: Docker.DockerOptions;
  private readonly dockerd = new SharedDockerd();

  constructor() {
    const given = process.env.DOCKER_HOST;
    this.isGiven = Boolean(given);
    this.host = given || `unix://${usualPlace.socket}`;
    // Without a socketPath, dockerode reads DOCKER_HOST and its companions for TLS.
    this.address = this.isGiven ? {} : { socketPath: usualPlace.socket };
    this.docker = new Docker(this.address);
  }

  /** Without starting anything; DOCKER_HOST counts as an answer here, `open` finds out. */
  async answers(): Promise<boolean> {
    return this.isGiven || answers(usualPlace.socket);
  }

  /** Resolves, with words for the report, when the engine answers. */
  async open(signal: AbortSignal): Promise<string> {
    if (this.isGiven) {
      const refusal = await new Docker({ timeout: GIVEN_MS }).ping().then(() => undefined, String);
      if (refusal !== undefined) throw new Problem(`DOCKER_HOST=${this.host} does not answer: ${refusal}`);
    }
    const how = this.isShared ? await this.dockerd.use(signal) : 'was there';
    return how === 'started' ? `dockerd started on ${usualPlace.socket}` : `used at ${this.host}`;
  }

  /** Under which it starts a container that names no other. */
  async defaultRuntime(): Promise<string> {
    return ((await this.docker.info()) as { DefaultRuntime: string }).DefaultRuntime;
  }

  /** Gives the engine up; stops it if the project started it and nobody else uses it. */
  async close(): Promise<'stopped' | 'left running'> {
    return this.isShared ? this.dockerd.leave(STOP_MS) : 'left running';
  }

  /** Removes everything that bears `mark`, which nobody may be using any more. */
  async removeTraces(mark: string): Promise<void> {
    const docker = new Docker({ ...this.address, timeout: REMOVE_MS });
    // Without an engine there is nothing, or nothing that could be removed.
    await removeTraces(docker, mark).catch(() => {});
  }

  /** DOCKER_HOST may name the usual socket as well, and the engine there be another checkout's. */
  private get isShared(): boolean {
    return /^unix:\/\/(\/var)?\/run\/docker\.sock$/.test(this.host);
  }
}

/** What has to be installed where no engine answers. */
export const engineNeeds: readonly Need[] = [
  {
    debianPackage: 'docker.io',
    purpose: 'a container engine on /var/run/docker.sock (or set DOCKER_HOST to one that runs elsewhere)',
    isMissing: () => !hasCommand('dockerd'),
  },
  {
    debianPackage: 'apparmor',
    purpose: 'loads the profile that Docker gives to containers on a kernel with AppArmor',
    isMissing: () => {
      const flag = '/sys/module/apparmor/parameters/enabled';
      return existsSync(flag) && readFileSync(flag, 'utf8').startsWith('Y') && !hasCommand('apparmor_parser');
    },
  },
];
