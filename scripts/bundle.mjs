// Makes one file of each app and all that it needs, from the sources: Node takes a second to find
// and read some two thousand small files. Run in the root of the repository.
import { mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { bundleOptions } from './bundle-options.mjs';

const outputOf = (app) => join('apps', app, 'dist', 'bundle', 'main.js');
const apps = readdirSync('apps').filter((app) => changedAt(outputOf(app)) <= newestSource());
// Imported only when a bundle is stale, since that takes a third of a second.
const { build } = apps.length > 0 ? await import('esbuild') : {};

for (const app of apps) {
  const { outputFiles } = await build({
    // The thread is started by the name of its file.
    entryPoints: [`apps/${app}/src/main.ts`, 'packages/service/src/watchdog-thread.ts'],
    entryNames: '[name]',
    outdir: dirname(outputOf(app)),
    ...bundleOptions,
  });
  // main.js last: its time marks the bundle as fresh.
  for (const { path, text } of outputFiles.sort(({ path }) => (path.endsWith('main.js') ? 1 : -1))) replace(path, text);
}

/** In one step, since another command of this checkout may be starting an app at this moment. */
function replace(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.${process.pid}`, text);
  renameSync(`${path}.${process.pid}`, path);
}

/**
 * Of all sources, of the packages that are installed, and of this folder. A folder tells of files that were
 * removed.
 */
function newestSource() {
  const folders = ['apps', 'packages'].flatMap((part) => readdirSync(part).map((name) => join(part, name, 'src')));
  const inside = [...folders, 'scripts'].flatMap((folder) => [
    folder,
    ...readdirSync(folder, { recursive: true }).map((name) => join(folder, name)),
  ]);
  const manifests = folders.map((folder) => join(dirname(folder), 'package.json'));
  return Math.max(...['package-lock.json', ...manifests, ...inside].map(changedAt));
}

/** In ms; never, if it is not there. */
function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
}
