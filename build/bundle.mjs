// Bundles each app with its dependencies into one file: Node takes a second to load some two thousand small files.
// Run in the root of the repository.
import { mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { bundleOptions } from './bundle-options.mjs';

const outputOf = (app) => join('apps', app, 'dist', 'bundle', 'main.js');
const apps = readdirSync('apps').filter((app) => changedAt(outputOf(app)) <= newestSource());
// Imported only when a bundle is stale, since that takes a third of a second.
const { build } = apps.length > 0 ? await import('esbuild') : {};

for (const app of apps) {
  const { outputFiles } = await build({
    // The thread is started by its file name.
    entryPoints: [`apps/${app}/src/main.ts`, 'packages/service/src/watchdog-thread.ts'],
    entryNames: '[name]',
    outdir: dirname(outputOf(app)),
    ...bundleOptions,
  });
  // main.js last: its time marks the bundle as fresh.
  for (const { path, text } of outputFiles.sort(({ path }) => (path.endsWith('main.js') ? 1 : -1))) replace(path, text);
}

/** In one step, since another command of this checkout may be starting an app. */
function replace(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.${process.pid}`, text);
  renameSync(`${path}.${process.pid}`, path);
}

/**
 * The newest change time of all sources, the installed packages, and this folder. A folder's time changes when
 * a file is removed.
 */
function newestSource() {
  const folders = ['apps', 'packages'].flatMap((part) => readdirSync(part).map((name) => join(part, name, 'src')));
  const inside = [...folders, 'build'].flatMap((folder) => [
    folder,
    ...readdirSync(folder, { recursive: true }).map((name) => join(folder, name)),
  ]);
  const manifests = folders.map((folder) => join(dirname(folder), 'package.json'));
  return Math.max(...['package-lock.json', ...manifests, ...inside].map(changedAt));
}

/** In ms; Infinity if the file does not exist. */
function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
}
