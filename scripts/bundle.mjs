// Makes one file of each app and all that it needs, out of what tsc has compiled: Node takes a second
// to find and read some two thousand small ones. Run in the root of the repository, after `tsc -b`.
import { readdirSync } from 'node:fs';

import { build } from 'esbuild';

/** What packages that are CommonJS expect to be there. */
const COMMONJS = [
  "import { createRequire as createRequireOfBundle } from 'node:module';",
  'const require = createRequireOfBundle(import.meta.url);',
  'const __dirname = import.meta.dirname;',
].join(' ');

/**
 * What dockerode loads for ways that no app takes: an engine reached by ssh, and BuildKit's sessions.
 * They are half of the worker's code, and take 16 MiB of its memory before anything is asked of them.
 */
const LEFT_OUT = /^(ssh2|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs)$/;
const leaveOut = {
  name: 'leave-out',
  setup: (bundling) => {
    bundling.onResolve({ filter: LEFT_OUT }, ({ path }) => ({ path, namespace: 'left-out' }));
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
