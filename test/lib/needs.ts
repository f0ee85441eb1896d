/** Commands that the tests need, besides a running engine. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

import { hasCommand, type Need } from '../../scripts/lib/packages.js';

/** @param withCompose for the test of compose.yaml */
export function testNeeds(withCompose: boolean): Need[] {
  return withCompose ? [dockerClient, compose] : [dockerClient];
}

/** The `docker` command, which is a separate package since Debian 13. */
const dockerClient: Need = {
  debianPackage: debianVersion() >= 13 ? 'docker-cli' : 'docker.io',
  isMissing: () => !hasCommand('docker'),
};

const compose: Need = {
  debianPackage: 'docker-compose',
  isMissing: () => !hasCommand('docker-compose') && spawnSync('docker', ['compose', 'version']).status !== 0,
};

/** Debian's version; 0 on other systems, Infinity for testing, which has no number. */
function debianVersion(): number {
  return existsSync('/etc/debian_version') ? parseInt(readFileSync('/etc/debian_version', 'utf8')) || Infinity : 0;
}
