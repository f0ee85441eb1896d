import { readFileSync } from 'node:fs';

import { expect, it } from '@jest/globals';

import { GENERATED } from '../../scripts/lib/generated.js';

it.each(Object.entries(GENERATED))('docker/%s is what `npm run generate` writes', (path, text) => {
  expect(readFileSync(new URL(`../../docker/${path}`, import.meta.url), 'utf8')).toBe(text);
});
