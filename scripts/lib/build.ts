/** The apps' and packages' compiled form, as Node runs it. */
import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Instance } from './instance.js';
import { withLock } from './lock.js';
import { checkout, stateRoot } from './paths.js';
import { say, timed } from './report.js';

/** As old as the beginning of the last build that succeeded: `tsc -b` writes its own files in spite of errors. */
const BUILT = join(stateRoot, 'built');
const BUNDLE = join(checkout, 'scripts', 'bundle.mjs');
const LEFT_OUT = join(checkout, 'scripts', 'left-out.mjs');

/** A start and a test of one checkout may come together; they would write the same files. */
export async function build(instance: Instance): Promise<void> {
  if (isBuilt()) return say('build', 'dist folders are up to date');
  const begin = new Date();
  const tsc = join(checkout, 'node_modules', 'typescript', 'bin', 'tsc');
  const compile = async () => {
    await instance.run('tsc.log', process.execPath, [tsc, '-b']);
    await instance.run('bundle.log', process.execPath, [BUNDLE]);
  };
  await timed(
    'build',
    () => withLock(join(stateRoot, 'build.lock'), compile),
    () => 'TypeScript compiled to dist folders, and each app made one file',
  );
  writeFileSync(BUILT, '');
  utimesSync(BUILT, begin, begin);
}

/**
 * Whether nothing is newer than what was made of it. `tsc -b` finds out as well, but takes a second
 * of each start for it.
 */
function isBuilt(): boolean {
  const { references } = JSON.parse(readFileSync(join(checkout, 'tsconfig.json'), 'utf8')) as { references: { path: string }[] };
  const ofAll = [BUNDLE, LEFT_OUT, ...['tsconfig.json', 'tsconfig.base.json', 'package-lock.json'].map((name) => join(checkout, name))].map(changedAt);
  return references.every(({ path }) => {
    const folder = join(checkout, path);
    const sources = [join(folder, 'tsconfig.json'), join(folder, 'package.json'), ...allIn(join(folder, 'src'))];
    const made = ['.tsbuildinfo', ...(path.startsWith('apps/') ? ['bundle/main.js'] : [])];
    return made.every((name) => changedAt(join(folder, 'dist', name)) > -Infinity) && changedAt(BUILT) > Math.max(...ofAll, ...sources.map(changedAt));
  });
}

/** A folder itself and all that is in it: of a file that was removed, its folder tells. */
const allIn = (folder: string) => [folder, ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))];

/** In ms; never, if it is not there. */
const changedAt = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
