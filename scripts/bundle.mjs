// Makes one file of each app and all that it needs, out of what tsc has compiled: Node takes a second
// to find and read some two thousand small ones. Run in the root of the repository, after `tsc -b`.
import { readdirSync } from 'node:fs';

import { build } from 'esbuild';

import { LEFT_OUT } from './left-out.mjs';

/** What packages that are CommonJS expect to be there. */
const COMMONJS = [
  "import { createRequire as createRequireOfBundle } from 'node:module';",
  'const require = createRequireOfBundle(import.meta.url);',
  'const __dirname = import.meta.dirname;',
].join(' ');

const leaveOut = {
  name: 'leave-out',
  setup: (bundling) => {
    bundling.onResolve({ filter: /^[^.]/ }, ({ path }) => (LEFT_OUT.includes(path) ? { path, namespace: 'left-out' } : undefined));
    bundling.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'module.exports = {};' }));
  },
};

for (const app of readdirSync('apps')) {
  await build({
    // The thread is started by the name of its file.
    entryPoints: [`apps/${app}/dist/main.js`, 'packages/service/dist/watchdog-thread.js'],
    entryNames: '[name]',
    outdir: `apps/${app}/dist/bundle`,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    banner: { js: COMMONJS },
    // Compiled parts of packages, each of which does without.
    external: ['*.node'],
    plugins: [leaveOut],
    logLevel: 'warning',
  });
}
