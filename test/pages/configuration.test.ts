/** docs/configuration.md has every setting of both apps with the type, default and range of its schema. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from '@jest/globals';

import { Settings as apiSchema } from '../../apps/widget/src/config.js';
import { Settings as workerSchema } from '../../apps/worker/src/config.js';

const textOf = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

/** The parts of a setting's JSON schema that the document repeats. */
interface Schema {
  type?: string;
  enum?: string[];
  default?: string | number;
  minimum?: number;
  maximum?: number;
}
type Schemas = Record<string, Schema>;

const api = apiSchema.properties as unknown as Schemas;
const worker = workerSchema.properties as unknown as Schemas;
const all: Schemas = { ...api, ...worker };

const pick = (isChosen: (name: string) => boolean): Schemas =>
  Object.fromEntries(Object.entries(all).filter(([name]) => isChosen(name)));

const page = textOf('docs/configuration.md');

/** The text between a second-level heading and the next one. */
function sectionOf(heading: string): string {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`docs/configuration.md has no heading "${heading}"`);
  return section;
}

/** The cells of each row whose first cell contains names of settings. */
function rowsOf(heading: string): string[][] {
  const rows = sectionOf(heading)
    .split('\n')
    .filter((line) => /^\| `[A-Z]/.test(line));
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const codeIn = (text = ''): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
const namesIn = (text = ''): string[] => codeIn(text).filter((code) => /^[A-Z][A-Z_]+$/.test(code));
const sorted = (names: Iterable<string>) => [...new Set(names)].sort();

/** The range cell; undefined if the schema has none or uses a pattern. */
function rangeOf({ enum: values, minimum, maximum }: Schema): string | undefined {
  if (values) return values.join(', ');
  if (minimum === undefined) return undefined;
  return maximum === undefined ? `\`${minimum}\` or more` : `\`${minimum}\` to \`${maximum}\``;
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, min: 60_000, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Converts `4 MiB` to `4194304`; undefined for other text. */
function exactOf(words: string): string | undefined {
  const [, count, unit = ''] = /^(\d+) (s|min|KiB|MiB|GiB)$/.exec(words) ?? [];
  return count === undefined ? undefined : String(Number(count) * (UNITS[unit] ?? NaN));
}

describe.each([
  ['Both apps', pick((name) => name in api && name in worker)],
  ['API', pick((name) => !(name in worker))],
  ['Worker', pick((name) => !(name in api))],
])('docs/configuration.md, %s', (heading, schemas) => {
  const rows = rowsOf(heading);

  it('has each setting of the schemas exactly once', () => {
    expect(rows.flatMap(([name]) => codeIn(name)).sort()).toEqual(Object.keys(schemas).sort());
  });

  it.each(Object.entries(schemas))('has the type, default and range of %s', (name, schema) => {
    const [, type, standard, words = '', range] = rows.find(([cell]) => cell === `\`${name}\``) ?? [];
    const exact = schema.default === undefined ? 'none' : `\`${schema.default}\``;
    expect({ type, standard }).toEqual({ type: schema.type === 'integer' ? 'integer' : 'string', standard: exact });
    expect(range).toBe(rangeOf(schema) ?? range);
    expect(exactOf(words) ?? String(schema.default)).toBe(String(schema.default));
  });
});

describe('docs/configuration.md, npm start', () => {
  it('has only settings that the scripts use', () => {
    const scripts = [
      'scripts/start.ts',
      ...readdirSync(new URL('../../scripts/lib', import.meta.url)).map((name) => `scripts/lib/${name}`),
    ];
    const text = scripts.map(textOf).join('\n');
    const names = rowsOf('npm start').flatMap(([cell]) => codeIn(cell));
    expect(names).toContain('WORKERS');
    expect(names.filter((name) => !text.includes(name))).toEqual([]);
  });
});

describe('docs/configuration.md, Docker Compose', () => {
  const compose = textOf('compose.yaml');
  const variables = [...compose.matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name);
  const section = sectionOf('Docker Compose');
  const ofCompose = rowsOf('Docker Compose').flatMap(([cell]) => codeIn(cell));

  it('has each variable of compose.yaml and .env.example', () => {
    const examples = [...textOf('.env.example').matchAll(/^#?([A-Z_]+)=/gm)].map(([, name = '']) => name);
    expect(examples.length).toBeGreaterThan(5);
    // The document names the limits of a task as a group.
    const named = [...namesIn(section), ...rowsOf('Worker').flatMap(([cell]) => codeIn(cell))];
    expect(sorted([...variables, ...examples]).filter((name) => !named.includes(name))).toEqual([]);
  });

  it('has only variables that compose.yaml uses', () => {
    expect(ofCompose.filter((name) => !variables.includes(name))).toEqual([]);
  });

  it('names the settings that compose.yaml does not pass on', () => {
    const passedOn = (name: string) => new RegExp(`^ +${name}: `, 'm').test(compose);
    const sentence = /It does not pass on (.*?)\./.exec(section)?.[1];
    expect(sorted(namesIn(sentence))).toEqual(
      sorted(Object.keys(all).filter((name) => !passedOn(name) && !ofCompose.includes(name))),
    );
  });
});
