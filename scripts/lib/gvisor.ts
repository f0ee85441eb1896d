import { existsSync, mkdirSync, openSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import Docker from 'dockerode';

import type { Settings } from './bring-up.js';
import { answers } from './dockerd.js';
import { exitOf, type Instance, tail } from './instance.js';
import { withLock } from './lock.js';
import { systemPath } from './packages.js';
import { machineFolder } from './paths.js';
import { Problem, timed } from './report.js';

/** The first release of Debian whose runsc works on kernels of today; it is one static program. */
const SUITE = 'trixie';
const KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg';
const FOLDER = join(machineFolder, 'gvisor');
const RUNSC = join(FOLDER, 'usr', 'bin', 'runsc');
/** Without the second, the seccomp profile of a container would not be looked at. */
const RUNSC_ARGS = ['--network=none', '--oci-seccomp'];
/** gVisor takes three to four times as long over a build. */
const BUILD_LIMIT_MS = 120_000;
const START_MS = 30_000;

/**
 * gVisor for a run of the tests: Debian's runsc, known to an engine of the run's own, which has the
 * given images and ends with the run. The shared engine is left as it is.
 *
 * @returns the settings of workers whose containers are to run under it
 */
export async function openGvisor(instance: Instance, docker: Docker, images: readonly string[]): Promise<Settings> {
  if (process.getuid?.() !== 0) throw new Problem('Only root can start the engine that the tests under gVisor need.');
  return timed('gvisor', () => open(instance, docker, images), () => 'runsc, with an engine of its own');
}

async function open(instance: Instance, docker: Docker, images: readonly string[]): Promise<Settings> {
  await withLock(join(machineFolder, 'gvisor.lock'), () => fetchRunsc(instance));
  const socket = await startEngine(instance);
  const gvisor = new Docker({ socketPath: socket });
  for (const name of images) await gvisor.loadImage(await docker.getImage(name).get());
  return { DOCKER_HOST: `unix://${socket}`, SANDBOX_RUNTIME: 'runsc', BUILD_LIMIT_MS: String(BUILD_LIMIT_MS) };
}

/** By apt, which checks signatures, with lists of its own: the machine's choice of releases stays what it is. */
async function fetchRunsc(instance: Instance): Promise<void> {
  if (existsSync(RUNSC)) return;
  const work = join(instance.folder, 'runsc');
  mkdirSync(join(work, 'lists', 'partial'), { recursive: true });
  mkdirSync(join(work, 'cache', 'archives', 'partial'), { recursive: true });
  const list = join(work, 'sources.list');
  writeFileSync(list, `deb [signed-by=${KEYS}] http://deb.debian.org/debian ${SUITE} main\n`);
  const options = [
    ...['-o', `Dir::Etc::sourcelist=${list}`, '-o', 'Dir::Etc::sourceparts=-'],
    ...['-o', `Dir::State::lists=${join(work, 'lists')}`, '-o', `Dir::Cache=${join(work, 'cache')}`, '-o', 'APT::Sandbox::User=root'],
  ];
  const env = { PATH: systemPath };
  await instance.run('runsc-update.log', 'apt-get', [...options, 'update'], { env });
  await instance.run('runsc-download.log', 'apt-get', [...options, 'download', 'runsc'], { env, cwd: work });
  const archive = readdirSync(work).find((name) => name.endsWith('.deb'));
  if (archive === undefined) throw new Problem('apt-get has downloaded no runsc.');
  const unpacked = join(work, 'unpacked');
  await instance.run('runsc-unpack.log', 'dpkg-deb', ['--extract', join(work, archive), unpacked], { env });
  // Into place in one step: a run that is killed leaves no half of it.
  await instance.run('runsc-copy.log', 'cp', ['--recursive', unpacked, `${FOLDER}.new`], { env });
  renameSync(`${FOLDER}.new`, FOLDER);
}

/** Resolves with its socket's path when it answers. */
async function startEngine(instance: Instance): Promise<string> {
  const runtimeFolder = instance.temporaryFolder();
  const dataFolder = join(instance.folder, 'gvisor');
  const configuration = join(runtimeFolder, 'daemon.json');
  writeFileSync(configuration, JSON.stringify({ runtimes: { runsc: { path: RUNSC, runtimeArgs: RUNSC_ARGS } } }));
  const socket = join(runtimeFolder, 'docker.sock');
  const logPath = join(instance.folder, 'gvisor.log');
  const log = openSync(logPath, 'w');
  // In a network of its own, where it can neither see nor change the shared engine's bridge.
  const args = [
    ...['--net', 'dockerd', '--config-file', configuration, '--host', `unix://${socket}`],
    ...['--data-root', dataFolder, '--exec-root', join(runtimeFolder, 'exec'), '--pidfile', join(runtimeFolder, 'docker.pid')],
    ...['--bridge=none', '--iptables=false', '--ip-forward=false', '--ip-masq=false'],
  ];
  const dockerd = instance.start('engine', 'unshare', args, { env: { PATH: systemPath }, stdio: ['ignore', log, log] });
  const ended = exitOf(dockerd).then((status) => {
    throw new Problem(`The engine for gVisor has ended (${status}):\n${tail(logPath)}`);
  });
  const answering = (async () => {
    for (const deadline = performance.now() + START_MS; !(await answers(socket)); ) {
      if (performance.now() > deadline) throw new Problem(`The engine for gVisor does not answer:\n${tail(logPath)}`);
      await sleep(50, undefined, { signal: instance.signal });
    }
  })();
  await Promise.race([answering, ended]);
  ended.catch(() => {}); // Later, it is ended on purpose.
  return socket;
}
