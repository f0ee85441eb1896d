import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import type { Instance } from './instance.js';
import { withLock } from './lock.js';
import { machineFolder } from './paths.js';
import { Problem, say, timed } from './report.js';

/** Something that is missing on this machine, and the Debian package that brings it. */
export interface Need {
  readonly debianPackage: string;
  /** What it is for and what would do as well, for people who have to install it themselves. */
  readonly purpose: string;
  isMissing(): boolean;
}

/** As root sees them; a user's PATH often lacks the folders where Debian puts daemons. */
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

/** Installs what is missing with apt-get, or says exactly what to install where that is not ours to do. */
export async function install(instance: Instance, needs: readonly Need[]): Promise<void> {
  const missing = needs.filter((need) => need.isMissing());
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version') || !hasCommand('apt-get')) {
    throw new Problem(instructions(missing));
  }
  say('packages', `apt-get install ${names(missing)} ...`);
  await timed(
    'packages',
    () => withLock(join(machineFolder, 'apt.lock'), () => aptInstall(instance, missing), sayWaiting),
    () => `installed ${names(missing)}`,
  );
}

async function aptInstall(instance: Instance, needs: readonly Need[]): Promise<void> {
  const missing = needs.filter((need) => need.isMissing()); // Another checkout may have been first.
  if (missing.length === 0) return;
  const env = { PATH: systemPath, DEBIAN_FRONTEND: 'noninteractive' };
  // Another program's apt or dpkg is waited for; our own checkouts have taken turns before this.
  const options = ['-y', '-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Options::=--force-confold'];
  await withoutServices(async () => {
    // Nothing to do, unless an installation was cut short.
    await instance.run('dpkg.log', 'dpkg', ['--configure', '-a'], { env });
    await instance.run('apt-update.log', 'apt-get', ['update', ...options], { env });
    const packages = missing.map((need) => need.debianPackage);
    await instance.run('apt-install.log', 'apt-get', ['install', '--no-install-recommends', ...options, ...packages], { env });
  });
  const absent = missing.filter((need) => need.isMissing());
  if (absent.length > 0) throw new Problem(`Still missing after apt-get install: ${names(absent)}`);
}

const POLICY = '/usr/sbin/policy-rc.d';
const POLICY_MARK = '# Written by code-widgets for the time of an apt-get install.';

/**
 * Debian's packages start their services when they are installed, here a broker on 5672 and an
 * engine that nobody would ever stop. This file is Debian's way to say no (101: not allowed). One
 * that is there already is somebody else's decision and stays; ours goes, even one that is left
 * from an installation that was killed.
 */
async function withoutServices(work: () => Promise<void>): Promise<void> {
  const isOurs = () => existsSync(POLICY) && readFileSync(POLICY, 'utf8').includes(POLICY_MARK);
  if (!existsSync(POLICY)) writeFileSync(POLICY, `#!/bin/sh\n${POLICY_MARK}\nexit 101\n`, { mode: 0o755 });
  try {
    await work();
  } finally {
    if (isOurs()) rmSync(POLICY);
  }
}

function instructions(missing: readonly Need[]): string {
  return [
    'This is missing, and only root on Debian can have it installed by this command:',
    ...missing.map(({ debianPackage, purpose }) => `  ${debianPackage}: ${purpose}`),
    'On Debian, install it with',
    `  sudo apt-get update && sudo apt-get install --no-install-recommends ${names(missing)}`,
    'On another system, install what its packages are called there, and start this command again.',
  ].join('\n');
}

function names(needs: readonly Need[]): string {
  return needs.map((need) => need.debianPackage).join(' ');
}

function sayWaiting(): void {
  say('packages', 'waiting for the apt-get of another checkout ...');
}
