import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { configurationPragmas, projectFile } from '../src/project-file.js';
import { gprStatements } from './gpr-statements.js';
import { filesOf } from './requests.js';

const NO_SWITCHES = new Map<string, string[]>();
const main = (file: string) => ({ file, executable: file.replace(/\..*/, '') });

describe('main.gpr', () => {
  it('has its statements in the usual order and layout', () => {
    const switches = new Map([
      ['Builder', ['-g']],
      ['Compiler', ['-gnato', '-gnateE']],
    ]);
    expect(projectFile({ main: main('main.adb'), languages: ['Ada', 'c'], sources: [], switches })).toBe(
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

  it('names no main if there is none, and may list no language', () => {
    const statements = gprStatements(
      projectFile({ main: undefined, languages: [], sources: [], switches: NO_SWITCHES }),
    );
    expect(statements).toContainEqual(['for', 'Languages', 'use', '(', ')']);
    expect(statements.filter((tokens) => tokens[1] === 'Main')).toEqual([
      ['project', 'Main', 'is'],
      ['end', 'Main'],
    ]);
  });

  it('keeps the default switches if the request has no list', () => {
    const text = projectFile({ main: undefined, languages: ['Ada'], sources: [], switches: NO_SWITCHES });
    expect(text).not.toContain('for Switches');
  });

  it('has the minimum switches if the list is empty', () => {
    const switches = new Map([
      ['Builder', []],
      ['Compiler', []],
    ]);
    const statements = gprStatements(projectFile({ main: undefined, languages: ['Ada'], sources: [], switches }));
    const least = (...literals: string[]) =>
      literals.flatMap((literal, i) => (i === 0 ? [{ literal }] : [',', { literal }]));
    const start = ['for', 'Switches', '(', { literal: 'Ada' }, ')', 'use', '('];
    expect(statements.filter((each) => each[1] === 'Switches')).toEqual([
      [...start, ...least('-g', '-O0'), ')'],
      [...start, ...least('-g'), ')'],
    ]);
  });

  it('lists C++ files with endings unknown to gprbuild, and their main by its full name', () => {
    const sources = filesOf({ 'app.cc': '', 'a"b.cxx': '', 'x.hpp': '', 'y.cpp': '', 'z.hh': '', 'notes.txt': '' });
    const text = projectFile({ main: main('app.cc'), languages: ['c++'], sources, switches: NO_SWITCHES });
    expect(text).toContain(`   for Main use ("app.cc");
   for Languages use ("c++");

   package Naming is
      for Specification_Exceptions ("c++") use ("x.hpp");
      for Implementation_Exceptions ("c++") use ("app.cc", "a""b.cxx");
   end Naming;

   package Compiler is`);
  });

  it('names a C++ main with a usual ending as before, among listed files', () => {
    const sources = filesOf({ 'app.cpp': '', 'x.cc': '' });
    const text = projectFile({ main: main('app.cpp'), languages: ['c++'], sources, switches: NO_SWITCHES });
    expect(text).toContain('for Main use ("app");');
    expect(text).toContain('for Implementation_Exceptions ("c++") use ("x.cc");');
    expect(text).not.toContain('Specification_Exceptions');
  });

  it('parses back to its input, whatever the names are', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/\p{Cc}/u.test(text));
    const hostile = fc.oneof(name, fc.constantFrom('"', '""', '"); end Main; --', 'a--b', '" & External ("PATH") & "'));
    fc.assert(
      fc.property(
        hostile,
        fc.array(hostile),
        fc.array(hostile, { minLength: 1 }),
        (executable, languages, switches) => {
          const text = projectFile({
            main: { file: `${executable}.adb`, executable },
            languages,
            sources: [],
            switches: new Map([['Compiler', switches]]),
          });
          const list = (values: string[]) =>
            values.flatMap((literal, i) => (i === 0 ? [{ literal }] : [',', { literal }]));
          expect(gprStatements(text).slice(0, 6)).toEqual([
            ['project', 'Main', 'is'],
            ['for', 'Main', 'use', '(', { literal: executable }, ')'],
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
        },
      ),
    );
  });
});

describe('main.adc', () => {
  const RUN = { proving: false, restricted: true };

  it('restricts what a program may import', () => {
    expect(
      configurationPragmas(RUN)
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

  it("has its first pragma on line 2, which the compiler's messages refer to", () => {
    expect(configurationPragmas(RUN).split('\n')[1]).toContain('No_Specification_of_Aspect');
  });

  it('has the SPARK pragma after the restrictions in prove modes', () => {
    const proving = configurationPragmas({ ...RUN, proving: true });
    expect(proving.startsWith(configurationPragmas(RUN))).toBe(true);
    expect(proving.slice(configurationPragmas(RUN).length).trimEnd().split('\n')).toEqual([
      'pragma Profile (GNAT_Extended_Ravenscar);',
      'pragma Partition_Elaboration_Policy (Sequential);',
      'pragma SPARK_Mode (On);',
      'pragma Warnings (Off, "no Global contract available");',
      'pragma Warnings (Off, "subprogram * has no effect");',
      'pragma Warnings (Off, "file name does not match");',
    ]);
  });

  it('has no restrictions if the installation turns them off', () => {
    expect(configurationPragmas({ ...RUN, restricted: false })).toBe('--  Generated for this project.\n');
    const proving = configurationPragmas({ proving: true, restricted: false });
    expect(proving).toContain('\npragma Profile (GNAT_Extended_Ravenscar);\n');
    expect(proving).not.toContain('Restrictions');
  });
});
