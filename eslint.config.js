import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** What a part of the house may not import, and why: the direction of imports, as messages. */
const boundaries = [
  {
    files: ['packages/protocol/src/**'],
    group: ['@code-widgets/*'],
    message: 'protocol is the ground floor: it imports nothing of ours.',
  },
  {
    files: ['packages/project/src/**'],
    group: ['@code-widgets/broker', '@code-widgets/sandbox', 'node:child_process', 'node:net', 'node:http'],
    message: 'project is pure: no network, no processes, no broker, no sandbox.',
  },
  {
    files: ['packages/broker/src/**'],
    group: ['@code-widgets/project', '@code-widgets/sandbox'],
    message: 'broker carries messages and knows nothing of what is in them beyond protocol.',
  },
  {
    files: ['packages/sandbox/src/**'],
    group: ['@code-widgets/*'],
    message: 'sandbox fences off Docker: it imports nothing of ours.',
  },
  {
    files: ['apps/widget/src/**'],
    group: ['@code-widgets/sandbox', '@code-widgets/worker', 'dockerode', 'node:child_process'],
    message: 'The web-facing process never reaches Docker, the worker or another process.',
  },
  {
    files: ['apps/worker/src/**'],
    group: ['@code-widgets/widget', 'dockerode', 'fastify'],
    message: 'The worker reaches Docker through sandbox alone and serves no HTTP.',
  },
];

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '.state/**', 'coverage/**'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['apps/*/src/**', 'packages/*/src/**'],
    plugins: { 'import-x': importX },
    rules: {
      // An import that the package does not declare in its own package.json is an error.
      'import-x/no-extraneous-dependencies': ['error', { devDependencies: false, includeTypes: true }],
      'no-restricted-properties': ['error', { object: 'AbortSignal', property: 'timeout', message: 'AbortSignal.any lets go of it, and it never comes: use a timer.' }],
    },
  },
  ...boundaries.map(({ files, group, message }) => ({
    files,
    rules: { 'no-restricted-imports': ['error', { patterns: [{ group, message }] }] },
  })),
  { files: ['**/*.js', '**/*.mjs'], extends: [tseslint.configs.disableTypeChecked] },
);
