/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

/**
 * ESM throughout: `npm test` starts jest with --experimental-vm-modules. Workspace packages are
 * taken from their sources (condition `source`), so that a test never sees a stale build.
 */
const shared: Config = {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['/dist/'],
};

/** Read /proc, or hand a Unix socket of the host to a container, which Docker on macOS and Windows cannot do. */
const LINUX_ONLY = [
  '/test/e2e/(widget-memory|worker-memory|limits-of-output)\\.',
  '/test/attacks/',
  '/test/integration/socket-proxy',
];
if (process.platform !== 'linux') shared.testPathIgnorePatterns = ['/node_modules/', ...LINUX_ONLY];

const config: Config = {
  // Catches hangs, with room for a machine five times as slow. Tests set their own time limits.
  testTimeout: 100_000,
  globalTeardown: '<rootDir>/test/teardown.ts',
  testSequencer: '<rootDir>/test/lib/longest-first.mjs',
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/{apps,packages}/*/test/**/*.test.ts', '<rootDir>/test/{pages,chaos,scripts}/**/*.test.ts'],
    },
    { ...shared, displayName: 'integration', testMatch: ['<rootDir>/test/integration/**/*.test.ts'] },
    { ...shared, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/**/*.test.ts'] },
    { ...shared, displayName: 'deployment', testMatch: ['<rootDir>/test/deployment/**/*.test.ts'] },
    { ...shared, displayName: 'attacks', testMatch: ['<rootDir>/test/attacks/**/*.test.ts'] },
    { ...shared, displayName: 'fuzz', testMatch: ['<rootDir>/test/fuzz/**/*.test.ts'] },
    { ...shared, displayName: 'leftovers', testMatch: ['<rootDir>/test/leftovers/**/*.test.ts'] },
  ],
};

export default config;
