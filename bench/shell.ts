/** The reference for all measurements: a root shell in a running container of the build image. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';

import Docker from 'dockerode';

import { createProject } from '@code-widgets/project';

import type { RunRequest } from '../test/helpers/client.js';
import { environment } from '../test/helpers/environment.js';

export class Shell {
  private said = '';
  private commands = 0;

  private constructor(
    private readonly container: Docker.Container,
    private readonly stream: Duplex,
  ) {
    stream.on('data', (bytes: Buffer) => (this.said = (this.said + bytes.toString('latin1')).slice(-4096)));
  }

  static async open(image: string): Promise<Shell> {
    const docker = new Docker();
    const container = await docker.createContainer({
      Image: image,
      Entrypoint: ['sleep', 'infinity'],
      Labels: { 'code-widgets.namespace': environment('NAMESPACE') },
    });
    await container.start();
    const exec = await container.exec({ Cmd: ['sh'], AttachStdin: true, AttachStdout: true, AttachStderr: true });
    const shell = new Shell(container, await exec.start({ hijack: true, stdin: true }));
    await shell.run('mkdir /bench; cd /bench');
    return shell;
  }

  /** Runs a line as if it had been typed; resolves with the time in ms. */
  async run(line: string): Promise<number> {
    const end = `end-of-${++this.commands}`;
    const begin = performance.now();
    this.stream.write(`${line}\necho end-"of"-${this.commands}\n`);
    while (!this.said.includes(end)) await once(this.stream, 'data');
    return performance.now() - begin;
  }

  /** Writes a project's files to a new folder, as the service would. */
  async lay({ files, main = '', mode = 'run' }: RunRequest): Promise<string> {
    const project = createProject({ files, main, mode: mode as 'run', switches: {}, name: 'Demo', lab: false });
    const folder = `/bench/${this.commands}`;
    const lines = project.files.map(
      ({ basename, contents }) =>
        `printf %s '${Buffer.from(contents).toString('base64')}' | base64 -d > ${folder}/${basename}`,
    );
    await this.run([`mkdir ${folder}`, ...lines].join('\n'));
    return folder;
  }

  /** Builds and runs the project in `folder` as a user would type it; resolves with the time in ms. */
  buildAndRun(folder: string, runs: readonly string[] = ['./main']): Promise<number> {
    return this.run(`cd ${folder} && gprbuild -q -P main.gpr && ${runs.join(' && ')}; cd /bench`);
  }

  /** Runs a program by `docker exec` with its output in a file of the host. */
  async executeIntoFile(program: string, file: string): Promise<void> {
    await promisify(execFile)('sh', ['-c', `docker exec ${this.container.id} ${program} > "$1"`, 'sh', file]);
  }

  async close(): Promise<void> {
    this.stream.destroy();
    await this.container.remove({ force: true });
  }
}
