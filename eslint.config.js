import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** The direction of imports: what a part may not import, and why. */
const boundaries = [
  {
    files: ['packages/protocol/src/**'],
    group: ['@code-widgets/*'],
    message: 'protocol imports no package of this repository.',
  },
  {
    files: ['packages/project/src/**'],
    group: ['@code-widgets/broker', '@code-widgets/sandbox', 'node:child_process', 'node:net', 'node:http'],
    message: 'project is pure: no network, no processes, no broker, no sandbox.',
  },
  {
    files: ['packages/broker/src/**'],
    group: ['@code-widgets/project', '@code-widgets/sandbox'],
    message: 'broker carries messages: of their contents it knows only protocol.',
  },
  {
    files: ['packages/sandbox/src/**'],
    group: ['@code-widgets/*'],
    message: 'sandbox imports no package of this repository: it knows no compiler, task or broker.',
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
      'max-len': [
        'error',
        // Texts in code, such as programs that tests send, are not broken.
        { code: 120, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true, ignoreUrls: true },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'PrivateIdentifier', message: 'Write `private`, as everywhere here.' },
      ],
    },
  },
  {
    files: ['apps/*/src/**', 'packages/*/src/**'],
    plugins: { 'import-x': importX },
    rules: {
      // An import that the package does not declare in its own package.json is an error.
      'import-x/no-extraneous-dependencies': ['error', { devDependencies: false, includeTypes: true }],
      'no-restricted-properties': [
        'error',
        {
          object: 'AbortSignal',
          property: 'timeout',
          message: 'AbortSignal.any lets go of it, and it never comes: use a timer.',
        },
      ],
    },
  },
  {
    files: ['packages/sandbox/src/**'],
    ignores: ['packages/sandbox/src/docker-runtime.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          paths: [
            {
              name: 'dockerode',
              message: 'docker-runtime.ts alone talks to the engine: use Runtime.',
              allowTypeImports: true,
            },
          ],
        },
      ],
    },
  },
  ...boundaries.map(({ files, group, message }) => ({
    files,
    rules: { 'no-restricted-imports': ['error', { patterns: [{ group, message }] }] },
  })),
  { files: ['**/*.js', '**/*.mjs'], extends: [tseslint.configs.disableTypeChecked] },
);
