import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import type { Instance } from './instance.js';
import { withLock } from './lock.js';
import { Problem, say, timed } from './report.js';

/** A missing command and its Debian package. */
export interface Need {
  readonly debianPackage: string;
  isMissing(): boolean;
}

/** A user's PATH often lacks the folders where Debian puts daemons. */
export const systemPath = [process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin'].filter(Boolean).join(delimiter);

export function hasCommand(name: string): boolean {
  return systemPath.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Whether `install` works here: only as root on Debian. */
export function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version') && hasCommand('apt-get');
}

/** Installs missing packages with apt-get. @throws Problem that names the packages if this user cannot install them */
export async function install(instance: Instance, needs: readonly Need[]): Promise<void> {
  const missing = () => needs.filter((need) => need.isMissing()).map(({ debianPackage }) => debianPackage);
  const names = missing().join(' ');
  if (names === '') return;
  if (!canInstall())
    throw new Problem(
      `Missing: ${names}. On Debian, install with: sudo apt-get install --no-install-recommends ${names}`,
    );
  say('packages', `apt-get install ${names} ...`);
  const run = () =>
    withLock(
      'apt',
      () => aptInstall(instance, missing()),
      () => say('packages', 'waiting for the apt-get of another checkout ...'),
    );
  await timed('packages', run, () => `installed ${names}`);
  if (missing().length > 0) throw new Problem(`Still missing after apt-get install: ${missing().join(' ')}`);
}

async function aptInstall(instance: Instance, packages: readonly string[]): Promise<void> {
  if (packages.length === 0) return; // Another checkout has installed them.
  const env = { PATH: systemPath, DEBIAN_FRONTEND: 'noninteractive' };
  const options = ['-y', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Options::=--force-confold'];
  await withoutServices(async () => {
    // Completes an interrupted installation.
    await instance.run('dpkg.log', 'dpkg', ['--configure', '-a'], { env });
    await instance.run('apt-update.log', 'apt-get', ['update', ...options], { env });
    await instance.run('apt-install.log', 'apt-get', ['install', '--no-install-recommends', ...options, ...packages], {
      env,
    });
  });
}

const POLICY = join('/usr/sbin', 'policy-rc.d');
const POLICY_MARK = '# Written by code-widgets for the time of an apt-get install.';

/**
 * policy-rc.d with exit status 101 keeps Debian's packages from starting their services. An existing file stays
 * unchanged.
 */
async function withoutServices(work: () => Promise<void>): Promise<void> {
  if (!existsSync(POLICY)) writeFileSync(POLICY, `#!/bin/sh\n${POLICY_MARK}\nexit 101\n`, { mode: 0o755 });
  try {
    await work();
  } finally {
    if (existsSync(POLICY) && readFileSync(POLICY, 'utf8').includes(POLICY_MARK)) rmSync(POLICY);
  }
}
