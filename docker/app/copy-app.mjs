// copy-app.mjs APP TARGET: copies one app with the packages that it needs at run time, ours and
// others, and nothing that only another app or the tests need. Prints each as a component for sbom.sh.
// Run in the root of the repository.
import { cpSync, existsSync, readFileSync, realpathSync, symlinkSync, mkdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const [app, target] = process.argv.slice(2);
const root = process.cwd();
const seen = new Set();

/** Copies the package in `folder`, then what it depends on, as Node would find that from there. */
function copyPackage(folder) {
  const real = realpathSync(folder);
  if (real !== folder && !existsSync(join(target, relative(root, folder)))) {
    const link = join(target, relative(root, folder));
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(relative(dirname(folder), real), link);
  }
  if (seen.has(real)) return;
  seen.add(real);
  const ours = !relative(root, real).startsWith('node_modules');
  for (const part of ours ? ['package.json', 'dist'] : ['']) {
    cpSync(join(real, part), join(target, relative(root, real), part), {
      recursive: true,
      filter: (path) => !relative(real, path).split('/').includes('node_modules'),
    });
  }
  const manifest = JSON.parse(readFileSync(join(real, 'package.json'), 'utf8'));
  console.log(JSON.stringify(componentOf(manifest, ours)));
  const { dependencies = {}, optionalDependencies = {} } = manifest;
  for (const name of Object.keys(dependencies)) copyPackage(find(name, real) ?? missing(name, real));
  for (const name of Object.keys(optionalDependencies)) {
    const optional = find(name, real);
    if (optional) copyPackage(optional);
  }
}

/** As CycloneDX has it. Ours are in no registry, so they have no package URL. */
function componentOf({ name, version }, ours) {
  const component = { type: 'library', name, version };
  return ours ? component : { ...component, purl: `pkg:npm/${name.replace('@', '%40')}@${version.replaceAll('+', '%2B')}` };
}

function find(name, from) {
  for (let folder = from; folder.startsWith(root); folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(candidate)) return candidate;
  }
  return undefined;
}

function missing(name, from) {
  throw new Error(`${name}, which ${relative(root, from)} needs, is not installed`);
}

copyPackage(join(root, app));
