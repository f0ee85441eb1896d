/** Checks that files and words named in the documents exist. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from '@jest/globals';

import { troublesIn } from './log-lines.js';

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const textOf = (path: string) => readFileSync(at(path), 'utf8');

const sourcesIn = (part: string) => readdirSync(at(part)).flatMap((name) => filesUnder(`${part}/${name}/src`));

function filesUnder(folder: string): string[] {
  const files = readdirSync(at(folder), { recursive: true, encoding: 'utf8' });
  return files.filter((name) => name.endsWith('.ts')).map((name) => `${folder}/${name}`);
}

interface Link {
  text: string;
  path: string;
  /** The link's heading in the form of GitHub's addresses. */
  anchor?: string;
}

function linksOf(page: string): Link[] {
  const links = [...textOf(page).matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)];
  return links.map(([, text = '', address = '']) => {
    if (isExternal(address)) return { text, path: address };
    const [path = '', anchor] = address.split('#');
    return { text, path: path === '' ? page : join(dirname(page), path), ...(anchor !== undefined && { anchor }) };
  });
}

const isExternal = (address: string) => /^https?:/.test(address);

function anchorsOf(page: string): string[] {
  const headings = [...textOf(page).matchAll(/^#+ (.*)$/gm)];
  return headings.map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

const documents = readdirSync(at('docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`);

describe.each(['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...documents])('%s', (page) => {
  it('links to existing files', () => {
    expect(linksOf(page).filter(({ path }) => !isExternal(path) && !existsSync(at(path)))).toEqual([]);
  });

  it('links to existing headings', () => {
    const links = linksOf(page).filter(({ path, anchor }) => anchor !== undefined && existsSync(at(path)));
    expect(links.filter(({ path, anchor = '' }) => !anchorsOf(path).includes(anchor))).toEqual([]);
  });

  it('names only existing files', () => {
    const folders = 'apps|packages|docker|test|scripts|build|rabbitmq|tools|bench|docs';
    const named = [...textOf(page).matchAll(new RegExp(`\`((?:${folders})/[\\w./-]+\\.\\w+)\``, 'g'))].map(
      ([, path = '']) => path,
    );
    expect(named.filter((path) => !existsSync(at(path)))).toEqual([]);
  });
});

describe('README.md', () => {
  it('has at most 150 lines and 1,200 words', () => {
    const text = textOf('README.md');
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(150);
    expect(text.split(/\s+/).length).toBeLessThanOrEqual(1200);
  });

  it('links to every document', () => {
    const paths = linksOf('README.md').map(({ path }) => path);
    expect(documents.filter((path) => !paths.includes(path))).toEqual([]);
  });
});

describe('CONTRIBUTING.md', () => {
  it('lists existing files', () => {
    const folders = ['apps', 'packages', 'docker', 'scripts', 'build', 'test', 'tools', 'bench'];
    const present = new Set(
      folders
        .flatMap((folder) => readdirSync(at(folder), { recursive: true, encoding: 'utf8' }))
        .map((path) => basename(path)),
    );
    const named = [...textOf('CONTRIBUTING.md').matchAll(/`([\w-]+\.(?:[ch]|ts|mjs))`/g)].map(([, name = '']) => name);
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((name) => !present.has(name))).toEqual([]);
  });

  it('lists every file of an app, a package and the launcher', () => {
    const launcher = readdirSync(at('docker/sandbox/launcher'));
    const sources = [...sourcesIn('apps'), ...sourcesIn('packages'), ...launcher].map((path) => basename(path));
    expect(sources.filter((name) => !textOf('CONTRIBUTING.md').includes(`\`${name}\``))).toEqual([]);
  });
});

describe('docs/operations.md', () => {
  const sources = ['apps', 'packages'].flatMap((part) => sourcesIn(part));
  const troubles = sources.flatMap((path) => troublesIn(path, textOf(path)).map((trouble) => ({ ...trouble, path })));
  const rows = textOf('docs/operations.md')
    .split('\n')
    .filter((line) => /^\| (warn|error|fatal) \|/.test(line));

  it('covers the log messages', () => {
    expect(troubles.length).toBeGreaterThan(20);
    // Faults of the sandbox have their own messages with a fix.
    expect(troubles.filter(({ message }) => message === undefined)).toEqual([
      { level: 'fatal', message: undefined, path: 'apps/worker/src/worker.ts' },
    ]);
  });

  it.each(troubles.filter(({ message }) => message !== undefined))(
    'has the $level "$message" of $path',
    ({ level, message }) => {
      expect(rows.filter((row) => row.startsWith(`| ${level} |`) && row.includes(`| \`${message}\` |`))).toHaveLength(
        1,
      );
    },
  );

  it('has no message that the code does not log', () => {
    const written = new Set(troubles.map(({ message }) => message));
    const told = rows.flatMap((row) => /^\| \w+ \| \w+ \| `(.*?)` \|/.exec(row)?.[1] ?? []);
    expect(told.filter((message) => !written.has(message))).toEqual([]);
    expect(told).toHaveLength(rows.length - 1);
  });
});

describe('SECURITY.md', () => {
  const links = linksOf('SECURITY.md').filter(({ path }) => existsSync(at(path)) && statSync(at(path)).isFile());

  it('names the source of each defence', () => {
    expect(links.length).toBeGreaterThan(30);
  });

  it.each(links)('finds "$text" in $path', ({ text, path }) => {
    const word = text.replace(/^[\w.-]+: /, '');
    expect(textOf(path)).toContain(word);
  });
});
