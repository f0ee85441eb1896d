// copy-app.mjs APP TARGET: copies the bundle of one app and the licences of what is in it, and prints
// each package in it, ours and others, as a component for sbom.sh. Run in the root of the repository.
import { cpSync, existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

import { LEFT_OUT } from '../../build/left-out.mjs';

const [app, target] = process.argv.slice(2);
const root = process.cwd();
const seen = new Set();

/**
 * Prints, with its licence copied, the package in `folder`, then what it depends on, as Node would find that
 * from there.
 */
function handOn(folder) {
  const real = realpathSync(folder);
  if (seen.has(real)) return;
  seen.add(real);
  const ours = !relative(root, real).startsWith('node_modules');
  const manifest = JSON.parse(readFileSync(join(real, 'package.json'), 'utf8'));
  console.log(JSON.stringify(componentOf(manifest, ours)));
  // The bundle has none of these texts, which most of them demand to be handed on.
  for (const file of readdirSync(real).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name))) {
    cpSync(join(real, file), join(target, 'licenses', `${manifest.name}@${manifest.version}`, file), {
      recursive: true,
    });
  }
  const { dependencies = {}, optionalDependencies = {} } = manifest;
  for (const name of inBundle(dependencies)) handOn(find(name, real) ?? missing(name, real));
  for (const name of inBundle(optionalDependencies)) {
    const optional = find(name, real);
    if (optional) handOn(optional);
  }
}

const inBundle = (dependencies) => Object.keys(dependencies).filter((name) => !LEFT_OUT.includes(name));

/** As CycloneDX has it. Ours are in no registry, so they have no package URL. */
function componentOf({ name, version }, ours) {
  const component = { type: 'library', name, version };
  return ours
    ? component
    : { ...component, purl: `pkg:npm/${name.replace('@', '%40')}@${version.replaceAll('+', '%2B')}` };
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

for (const part of ['package.json', 'dist/bundle'])
  cpSync(join(root, app, part), join(target, app, part), { recursive: true });
handOn(join(root, app));
