import { readFileSync } from 'node:fs';

import { expect, it } from '@jest/globals';

import { GENERATED } from '../../build/generated.js';

it.each(Object.entries(GENERATED))('docker/%s is up to date with `npm run generate`', (path, text) => {
  expect(readFileSync(new URL(`../../docker/${path}`, import.meta.url), 'utf8')).toBe(text);
});
