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
  /** Of its log and, unless that is given, its data. */
  readonly name: string;
  readonly dataFolder?: string;
  /** What is in its daemon.json. */
  readonly configuration?: object;
}

/**
 * A dockerd of one instance's own, which ends with it; the shared engine is left as it is. It is in
 * a network of its own, where it can neither see nor change the other's bridge.
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
    // Not by socketPath: DOCKER_HOST would count more.
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

  /** Resolves when it answers. */
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
    early.catch(() => {}); // Later, it is ended on purpose.
    await Promise.race([this.untilItAnswers(), early]);
  }

  /** Resolves when it has ended, and its containers with it. */
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
