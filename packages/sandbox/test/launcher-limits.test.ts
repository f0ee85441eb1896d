import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import * as limits from '../src/limits.js';

const HEADER = readFileSync(new URL('../../../docker/sandbox/launcher/launcher.h', import.meta.url), 'utf8');

/** A constant of the launcher's: `255`, `1 << 20` or `64 * 1024`. */
function valueOf(name: string): number {
  const [, first, operator, second] = new RegExp(`\\b${name} = (\\d+)(?: (<<|\\*) (\\d+))?,`).exec(HEADER) ?? [];
  if (first === undefined) throw new Error(`launcher.h has no ${name}`);
  if (second === undefined) return Number(first);
  return operator === '<<' ? Number(first) << Number(second) : Number(first) * Number(second);
}

describe('the limits that the launcher and the worker share', () => {
  it.each([
    ['EXECUTABLE_BYTES', limits.EXECUTABLE_BYTES],
    ['FRAME_BYTES', limits.LAUNCHER_FRAME_BYTES],
    ['WORDS_BYTES', limits.COMMAND_BYTES],
  ])('are equal: %s', (name, value) => {
    expect(valueOf(name)).toBe(value);
  });
});
