import { spawnSync } from 'node:child_process';

import { hasCommand, type Need } from './packages.js';

/** For the test of compose.yaml: Debian's, if Docker has no plugin of that name. */
export const composeNeed: Need = {
  debianPackage: 'docker-compose',
  purpose: 'Docker Compose, for the test of compose.yaml',
  isMissing: () => !hasCommand('docker-compose') && spawnSync('docker', ['compose', 'version']).status !== 0,
};
