/** Profiles and jobs for the unit tests. */
import type { Job, Profile } from '../src/job.js';

const MIB = 1024 * 1024;

export const TOOL: Profile = {
  name: 'tool',
  image: 'tools',
  confinement: 'tool',
  environment: { HOME: '/home', LANG: 'C.UTF-8' },
  memoryBytes: 256 * MIB,
  processes: 100,
  writableBytes: 128 * MIB,
  longestJobMs: 30_000,
  minWarm: 1,
};

export const PROGRAM: Profile = {
  name: 'program',
  image: 'program',
  confinement: 'program',
  environment: {},
  memoryBytes: 256 * MIB,
  processes: 100,
  writableBytes: 32 * MIB,
  longestJobMs: 10_000,
  minWarm: 1,
};

/** A profile with more memory and with /dev/shm. */
export const SHARING: Profile = { ...TOOL, name: 'sharing', memoryBytes: 1024 * MIB, sharedMemory: true };

export const jobOf = (profile: Profile, more: Partial<Job> = {}): Job => ({
  profile,
  argv: ['x'],
  files: [],
  limits: { timeMs: 10_000, outputBytes: 1024 },
  ...more,
});
