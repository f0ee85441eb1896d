import { describe, expect, it } from '@jest/globals';

import { CONFINEMENTS, protocolHeader, REASONS, RECEIVED, SENT, VARIABLES } from '../src/launcher-protocol.js';
import { COMMAND_BYTES, EXECUTABLE_BYTES, LAUNCHER_FRAME_BYTES } from '../src/limits.js';

describe('the header of the protocol', () => {
  it.each([
    ['EXECUTABLE_BYTES', EXECUTABLE_BYTES],
    ['FRAME_BYTES', LAUNCHER_FRAME_BYTES],
    ['WORDS_BYTES', COMMAND_BYTES],
  ])('has the limit that worker and launcher share: %s', (name, value) => {
    expect(protocolHeader('1.2.3')).toContain(`\n#define ${name} ${value}\n`);
  });

  it('has the allowed variables, in quotes', () => {
    expect(protocolHeader('1.2.3')).toContain(`\n#define PROGRAM_VARIABLES "${VARIABLES.program.join('", "')}"\n`);
  });
});

describe('the letters of the protocol', () => {
  it.each(Object.entries({ RECEIVED, SENT, REASONS, CONFINEMENTS }))('are unique in %s', (_, letters) => {
    const values = Object.values<string>(letters);
    expect(new Set(values).size).toBe(values.length);
    for (const letter of values) expect(letter).toMatch(/^[A-Za-z]$/);
  });
});
