import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { ALLOWED_SWITCHES, sortSwitches } from '../src/switches.js';

describe('switches', () => {
  it('are kept in order if allowed, and listed as dropped otherwise', () => {
    const { allowed, dropped } = sortSwitches({ Builder: ['-g'], Compiler: ['-gnato', '-O2', '-gnateE'] });
    expect(allowed).toEqual(
      new Map([
        ['Builder', ['-g']],
        ['Compiler', ['-gnato', '-gnateE']],
      ]),
    );
    expect(dropped).toEqual(['Compiler -O2']);
  });

  it('are empty by default', () => {
    expect(sortSwitches(undefined)).toEqual({ allowed: new Map(), dropped: [] });
  });

  it("are allowed per package: the compiler's are not the builder's", () => {
    expect(sortSwitches({ Builder: ['-gnata'] }).dropped).toEqual(['Builder -gnata']);
  });

  it('of an unknown package are dropped, whatever its name', () => {
    const asked = JSON.parse('{"Linker": ["-s"], "__proto__": ["-x"], "constructor": ["-y"]}') as Record<
      string,
      string[]
    >;
    expect(sortSwitches(asked).dropped).toEqual(['Linker -s', '__proto__ -x', 'constructor -y']);
  });

  it('are kept once each, at their last position', () => {
    const { allowed } = sortSwitches({ Compiler: ['-gnato11', '-gnato22', '-gnato11'] });
    expect(allowed.get('Compiler')).toEqual(['-gnato22', '-gnato11']);
  });

  it('are kept unchanged if allowed, and never otherwise', () => {
    const some = fc.oneof(fc.constantFrom(...ALLOWED_SWITCHES.Compiler), fc.string());
    const asked = fc.dictionary(fc.oneof(fc.constantFrom('Compiler', 'Builder'), fc.string()), fc.array(some));
    fc.assert(
      fc.property(asked, (packages) => {
        const table = new Map<string, readonly string[]>(Object.entries(ALLOWED_SWITCHES));
        const { allowed } = sortSwitches(packages);
        for (const [name, switches] of Object.entries(packages)) {
          const expected = switches.filter((each) => table.get(name)?.includes(each));
          expect(new Set(allowed.get(name))).toEqual(new Set(expected));
        }
      }),
    );
  });

  it('are dropped with a bounded log entry', () => {
    const { dropped } = sortSwitches({
      Compiler: Array.from({ length: 100_000 }, (_, i) => `-${i}${'x'.repeat(100)}`),
    });
    expect(dropped).toHaveLength(20);
    expect(dropped.every((each) => each.length === 100)).toBe(true);
  });
});
