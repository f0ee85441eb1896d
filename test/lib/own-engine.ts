import { openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import Docker from 'dockerode';

import { engineOptions } from '../../packages/sandbox/src/docker-runtime.js';
import { exitOf, type Instance, tail } from '../../scripts/lib/instance.js';
import { systemPath } from '../../scripts/lib/packages.js';
import { Problem } from '../../scripts/lib/report.js';
import { eventually } from '../helpers/eventually.js';

const START_MS = 120_000;

export interface OwnEngineOptions {
  /** Name of its log and, by default, its data. */
  readonly name: string;
  readonly dataFolder?: string;
  /** The contents of its daemon.json. */
  readonly configuration?: object;
}

/**
 * A private dockerd that ends with its instance and does not affect the shared engine. It has its own network
 * namespace, so it cannot see or change the shared engine's bridge.
 */
export class OwnEngine {
  readonly socket: string;
  readonly docker: Docker;
  private readonly logPath: string;
  private readonly args: readonly string[];
  private ended: Promise<number | string> = Promise.resolve(0);
  private kill: (signal: NodeJS.Signals) => void = () => undefined;

  constructor(
    private readonly instance: Instance,
    { name, dataFolder, configuration = {} }: OwnEngineOptions,
  ) {
    const runtimeFolder = instance.temporaryFolder();
    const configurationFile = join(runtimeFolder, 'daemon.json');
    writeFileSync(configurationFile, JSON.stringify(configuration));
    this.socket = join(runtimeFolder, 'docker.sock');
    // Not by socketPath, since DOCKER_HOST would take precedence.
    this.docker = new Docker(engineOptions({ dockerHost: `unix://${this.socket}` }));
    this.logPath = join(instance.folder, `${name}.log`);
    this.args = [
      // It ends when this process does, also by SIGKILL.
      ...[
        '--pdeathsig',
        'TERM',
        'unshare',
        '--net',
        'dockerd',
        '--config-file',
        configurationFile,
        '--host',
        `unix://${this.socket}`,
      ],
      ...['--data-root', dataFolder ?? join(instance.folder, name), '--exec-root', join(runtimeFolder, 'exec')],
      ...['--pidfile', join(runtimeFolder, 'docker.pid')],
      ...['--bridge=none', '--iptables=false', '--ip-forward=false', '--ip-masq=false'],
    ];
  }

  /** Resolves when it responds. */
  async start(): Promise<void> {
    const log = openSync(this.logPath, 'a');
    const dockerd = this.instance.start('engine', 'setpriv', this.args, {
      env: { PATH: systemPath },
      stdio: ['ignore', log, log],
    });
    this.kill = (signal) => void dockerd.kill(signal);
    this.ended = exitOf(dockerd);
    const early = this.ended.then((status) => {
      throw new Problem(`An engine of its own has ended (${status}):\n${tail(this.logPath)}`);
    });
    early.catch(() => {}); // A later end is intended.
    await Promise.race([this.untilItAnswers(), early]);
  }

  /** Resolves when it and its containers have ended. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    this.kill(signal);
    await this.ended;
  }

  /** Copies images from another engine. */
  async load(from: Docker, images: readonly string[]): Promise<void> {
    for (const name of images) await this.docker.loadImage(await from.getImage(name).get());
  }

  private async untilItAnswers(): Promise<void> {
    const { signal } = this.instance;
    const answers = () => {
      signal.throwIfAborted();
      return this.docker.ping().then(
        () => true,
        () => false,
      );
    };
    await eventually('an engine of its own answers', answers, { limitMs: START_MS }).catch(() => {
      signal.throwIfAborted();
      throw new Problem(
        `An engine of its own has not answered within ${START_MS / 1000} s. Its log says why:\n${tail(this.logPath)}`,
      );
    });
  }
}
