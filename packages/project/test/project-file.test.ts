import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { configurationPragmas, projectFile } from '../src/project-file.js';
import { gprStatements } from './gpr-statements.js';

const NO_SWITCHES = new Map<string, string[]>();

describe('main.gpr', () => {
  it('has its statements in the order that clients know, nicely laid out', () => {
    const switches = new Map([
      ['Builder', ['-g']],
      ['Compiler', ['-gnato', '-gnateE']],
    ]);
    expect(projectFile({ main: 'main', languages: ['Ada', 'c'], switches })).toBe(
      `--  Generated for this project; builds with "gprbuild -P main.gpr".
project Main is

   for Main use ("main");
   for Languages use ("Ada", "c");

   package Compiler is
      for Default_Switches ("Ada") use ("-g", "-O0", "-gnata", "-gnatwa");
      for Switches ("Ada") use ("-gnato", "-gnateE");
   end Compiler;

   package Builder is
      for Default_Switches ("Ada") use ("-g");
      for Switches ("Ada") use ("-g");
      for Global_Configuration_Pragmas use "main.adc";
   end Builder;

end Main;
`,
    );
  });

  it('names no main where there is none, and says so if there is no language', () => {
    const statements = gprStatements(projectFile({ main: undefined, languages: [], switches: NO_SWITCHES }));
    expect(statements).toContainEqual(['for', 'Languages', 'use', '(', ')']);
    expect(statements.filter((tokens) => tokens[1] === 'Main')).toEqual([
      ['project', 'Main', 'is'],
      ['end', 'Main'],
    ]);
  });

  it('leaves the defaults alone where no switch is left', () => {
    const text = projectFile({ main: undefined, languages: ['Ada'], switches: new Map([['Compiler', []]]) });
    expect(text).not.toContain('for Switches');
  });

  it('reads back as what it was made of, whatever the names are', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/\p{Cc}/u.test(text));
    const hostile = fc.oneof(name, fc.constantFrom('"', '""', '"); end Main; --', 'a--b', '" & External ("PATH") & "'));
    fc.assert(
      fc.property(hostile, fc.array(hostile), fc.array(hostile, { minLength: 1 }), (main, languages, switches) => {
        const text = projectFile({ main, languages, switches: new Map([['Compiler', switches]]) });
        const list = (values: string[]) =>
          values.flatMap((literal, i) => (i === 0 ? [{ literal }] : [',', { literal }]));
        expect(gprStatements(text).slice(0, 6)).toEqual([
          ['project', 'Main', 'is'],
          ['for', 'Main', 'use', '(', { literal: main }, ')'],
          ['for', 'Languages', 'use', '(', ...list(languages), ')'],
          ['package', 'Compiler', 'is'],
          [
            'for',
            'Default_Switches',
            '(',
            { literal: 'Ada' },
            ')',
            'use',
            '(',
            ...list(['-g', '-O0', '-gnata', '-gnatwa']),
            ')',
          ],
          ['for', 'Switches', '(', { literal: 'Ada' }, ')', 'use', '(', ...list(switches), ')'],
        ]);
        expect(gprStatements(text)).toHaveLength(12);
      }),
    );
  });
});

describe('main.adc', () => {
  it('restricts what a program may import', () => {
    expect(
      configurationPragmas(false)
        .split('\n')
        .filter((line) => line.startsWith('pragma')),
    ).toEqual([
      'pragma Restrictions (No_Specification_of_Aspect => Import);',
      'pragma Restrictions (No_Use_Of_Pragma => Import);',
      'pragma Restrictions (No_Use_Of_Pragma => Interface);',
      'pragma Restrictions (No_Use_Of_Pragma => Linker_Options);',
      'pragma Restrictions (No_Dependence => System.Machine_Code);',
      'pragma Restrictions (No_Dependence => Machine_Code);',
    ]);
  });

  it('has its first pragma on line 2, where messages of the compiler have always pointed', () => {
    expect(configurationPragmas(false).split('\n')[1]).toContain('No_Specification_of_Aspect');
  });

  it('asks for SPARK when proving, after the restrictions', () => {
    const proving = configurationPragmas(true);
    expect(proving.startsWith(configurationPragmas(false))).toBe(true);
    expect(proving.slice(configurationPragmas(false).length).trimEnd().split('\n')).toEqual([
      'pragma Profile (GNAT_Extended_Ravenscar);',
      'pragma Partition_Elaboration_Policy (Sequential);',
      'pragma SPARK_Mode (On);',
      'pragma Warnings (Off, "no Global contract available");',
      'pragma Warnings (Off, "subprogram * has no effect");',
      'pragma Warnings (Off, "file name does not match");',
    ]);
  });
});
