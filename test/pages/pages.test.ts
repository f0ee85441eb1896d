/** The pages for people name files, and words in them: a page that leads nowhere is worse than none. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from '@jest/globals';

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const textOf = (path: string) => readFileSync(at(path), 'utf8');

interface Link {
  text: string;
  path: string;
}

function linksOf(page: string): Link[] {
  return [...textOf(page).matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)].map(([, text = '', path = '']) => ({ text, path }));
}

describe.each(['README.md', 'CONTRIBUTING.md', 'SECURITY.md'])('%s', (page) => {
  it('leads to files that are there', () => {
    expect(linksOf(page).filter(({ path }) => !/^https?:/.test(path) && !existsSync(at(path)))).toEqual([]);
  });

  it('names no file that is not there', () => {
    const named = [...textOf(page).matchAll(/`((?:apps|packages|docker|test|scripts|rabbitmq)\/[\w./-]+\.\w+)`/g)].map(([, path = '']) => path);
    expect(named.filter((path) => !existsSync(at(path)))).toEqual([]);
  });
});

describe('SECURITY.md', () => {
  const links = linksOf('SECURITY.md').filter(({ path }) => existsSync(at(path)) && statSync(at(path)).isFile());

  it('says of each defence where it is', () => {
    expect(links.length).toBeGreaterThan(30);
  });

  it.each(links)('finds "$text" in $path', ({ text, path }) => {
    const word = text.replace(/^[\w.-]+: /, '');
    expect(textOf(path)).toContain(word);
  });
});
