import { describe, expect, it } from '@jest/globals';

import { CONFINEMENTS, protocolHeader, REASONS, RECEIVED, SENT, VARIABLES } from '../src/launcher-protocol.js';
import { COMMAND_BYTES, EXECUTABLE_BYTES, LAUNCHER_FRAME_BYTES } from '../src/limits.js';

describe('the header of the protocol', () => {
  it.each([
    ['EXECUTABLE_BYTES', EXECUTABLE_BYTES],
    ['FRAME_BYTES', LAUNCHER_FRAME_BYTES],
    ['WORDS_BYTES', COMMAND_BYTES],
  ])('has the limits that the worker and the launcher share: %s', (name, value) => {
    expect(protocolHeader()).toContain(`\n#define ${name} ${value}\n`);
  });

  it('has the variables that a command may have, each in quotes', () => {
    expect(protocolHeader()).toContain(`\n#define PROGRAM_VARIABLES "${VARIABLES.program.join('", "')}"\n`);
  });
});

describe('the letters of the protocol', () => {
  it.each(Object.entries({ RECEIVED, SENT, REASONS, CONFINEMENTS }))('are different ones in %s', (_, letters) => {
    const values = Object.values<string>(letters);
    expect(new Set(values).size).toBe(values.length);
    for (const letter of values) expect(letter).toMatch(/^[A-Za-z]$/);
  });
});
