/** Commands that the tests use, beside an engine that answers. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

import { hasCommand, type Need } from '../../scripts/lib/packages.js';

/** @param withCompose for the test of compose.yaml */
export function testNeeds(withCompose: boolean): Need[] {
  return withCompose ? [dockerClient, compose] : [dockerClient];
}

/** The command `docker`, which is a package of its own since Debian 13. */
const dockerClient: Need = {
  debianPackage: debianVersion() >= 13 ? 'docker-cli' : 'docker.io',
  isMissing: () => !hasCommand('docker'),
};

const compose: Need = {
  debianPackage: 'docker-compose',
  isMissing: () => !hasCommand('docker-compose') && spawnSync('docker', ['compose', 'version']).status !== 0,
};

/** 0 on any other system; Infinity for testing, which has a name and no number. */
function debianVersion(): number {
  return existsSync('/etc/debian_version') ? parseInt(readFileSync('/etc/debian_version', 'utf8')) || Infinity : 0;
}
