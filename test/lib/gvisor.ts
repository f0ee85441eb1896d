import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type Docker from 'dockerode';

import type { Settings } from '../../scripts/lib/bring-up.js';
import type { Instance } from '../../scripts/lib/instance.js';
import { OwnEngine } from './own-engine.js';
import { systemPath } from '../../scripts/lib/packages.js';
import { stateRoot } from '../../scripts/lib/paths.js';
import { Problem, timed } from '../../scripts/lib/report.js';

/** The first Debian release whose runsc works on current kernels; it is one static program. */
const SUITE = 'trixie';
const KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg';
const FOLDER = join(stateRoot, 'gvisor');
const RUNSC = join(FOLDER, 'usr', 'bin', 'runsc');
/** Without the second option, runsc ignores a container's seccomp profile. */
const RUNSC_ARGS = ['--network=none', '--oci-seccomp'];
/** Builds take three to four times as long under gVisor. */
const BUILD_LIMIT_MS = 120_000;

/**
 * gVisor for a test run: Debian's runsc in a private engine with the given images, which ends with the run.
 *
 * @returns the settings of workers whose containers run under it
 */
export async function openGvisor(instance: Instance, docker: Docker, images: readonly string[]): Promise<Settings> {
  return timed(
    'gvisor',
    () => open(instance, docker, images),
    () => 'runsc, with an engine of its own',
  );
}

async function open(instance: Instance, docker: Docker, images: readonly string[]): Promise<Settings> {
  await fetchRunsc(instance);
  const configuration = { runtimes: { runsc: { path: RUNSC, runtimeArgs: RUNSC_ARGS } } };
  const engine = new OwnEngine(instance, { name: 'gvisor', configuration });
  await engine.start();
  await engine.load(docker, images);
  return { DOCKER_HOST: `unix://${engine.socket}`, SANDBOX_RUNTIME: 'runsc', BUILD_LIMIT_MS: String(BUILD_LIMIT_MS) };
}

/** Downloads with apt, which checks signatures. Its own lists keep the machine's releases unchanged. */
async function fetchRunsc(instance: Instance): Promise<void> {
  if (existsSync(RUNSC)) return;
  const work = join(instance.folder, 'runsc');
  mkdirSync(join(work, 'lists', 'partial'), { recursive: true });
  mkdirSync(join(work, 'cache', 'archives', 'partial'), { recursive: true });
  const list = join(work, 'sources.list');
  writeFileSync(list, `deb [signed-by=${KEYS}] http://deb.debian.org/debian ${SUITE} main\n`);
  const options = [
    ...['-o', `Dir::Etc::sourcelist=${list}`, '-o', 'Dir::Etc::sourceparts=-'],
    ...[
      '-o',
      `Dir::State::lists=${join(work, 'lists')}`,
      '-o',
      `Dir::Cache=${join(work, 'cache')}`,
      '-o',
      'APT::Sandbox::User=root',
    ],
  ];
  const env = { PATH: systemPath };
  await instance.run('runsc-update.log', 'apt-get', [...options, 'update'], { env });
  await instance.run('runsc-download.log', 'apt-get', [...options, 'download', 'runsc'], { env, cwd: work });
  const archive = readdirSync(work).find((name) => name.endsWith('.deb'));
  if (archive === undefined) throw new Problem('apt-get has downloaded no runsc.');
  const unpacked = join(work, 'unpacked');
  await instance.run('runsc-unpack.log', 'dpkg-deb', ['--extract', join(work, archive), unpacked], { env });
  // Renamed in one step, so that a killed run leaves no partial copy.
  await instance.run('runsc-copy.log', 'cp', ['--recursive', unpacked, `${FOLDER}.new`], { env });
  renameSync(`${FOLDER}.new`, FOLDER);
}
