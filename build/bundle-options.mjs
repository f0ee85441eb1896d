// esbuild options for one file per app.
import { LEFT_OUT } from './left-out.mjs';

/** Globals that CommonJS packages expect. */
const COMMONJS = [
  "import { createRequire as createRequireOfBundle } from 'node:module';",
  'const require = createRequireOfBundle(import.meta.url);',
  'const __dirname = import.meta.dirname;',
].join(' ');

const leaveOut = {
  name: 'leave-out',
  setup: (bundling) => {
    bundling.onResolve({ filter: /^[^.]/ }, ({ path }) =>
      LEFT_OUT.includes(path) ? { path, namespace: 'left-out' } : undefined,
    );
    bundling.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: 'module.exports = {};' }));
  },
};

export const bundleOptions = {
  bundle: true,
  write: false,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  conditions: ['source'],
  banner: { js: COMMONJS },
  // Optional native modules. Each package has a fallback.
  external: ['*.node'],
  plugins: [leaveOut],
  logLevel: 'warning',
};
