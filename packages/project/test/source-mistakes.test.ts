import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { adaNameFor, isAdaName } from '../src/ada-names.js';
import { mainMistake, sourceMistake } from '../src/source-mistakes.js';
import { filesOf } from './requests.js';

const mistakeIn = (...names: string[]) => sourceMistake(filesOf(Object.fromEntries(names.map((name) => [name, '']))));

describe('a file name is accepted', () => {
  it.each([
    ...[
      'main.adb',
      'foo-bar.ads',
      'foo_bar2-baz.adb',
      'x1.adb',
      'a-foo.adb',
      'a__foo.ads',
      's~foo.adb',
      'interface.ads',
      'some.adb',
    ],
    ...['domain.adb', 'ended.adb', 'ada_main.adb', 'text_io_1.adb', 'standard.adb'],
    ...[
      'a.c',
      'Foo.c',
      '1st.c',
      'my util.c',
      'a.b.c',
      "o'brien.cpp",
      'été.c',
      'for.c',
      'a.cc',
      'A.cxx',
      'a.c++',
      'a.cp',
    ],
    ...['a.h', 'A.H', 'util.HPP', 'a.h++', '.h', 'UTIL.Hh'],
  ])('if the tools accept it: %j', (name) => {
    expect(mistakeIn('x_y.adb', name)).toBeUndefined();
  });

  it.each([
    ...[
      'notes.txt',
      'README.MD',
      'Data.CSV',
      'main.adb.txt',
      'x.C.txt',
      'Makefile',
      'adb',
      'A.java',
      'a.S',
      'x.gpr',
      'x.adbx',
      '...',
      'c',
      '.adbc',
      'a. b c',
    ],
  ])('if the file is not a source: %j', (name) => {
    expect(mistakeIn('x_y.adb', name)).toBeUndefined();
  });
});

describe('a wrong source name gets a suggestion', () => {
  it.each([
    ['Greet.adb', 'greet.adb'],
    ['GREET.ADS', 'greet.ads'],
    ['greet.ADB', 'greet.adb'],
    ['greet.Ads', 'greet.ads'],
    ['Foo-Bar.adb', 'foo-bar.adb'],
    ['foo.bar.adb', 'foo-bar.adb'],
    ['Foo.Bar.Baz.ads', 'foo-bar-baz.ads'],
    ['a b.adb', 'a_b.adb'],
    [' a.adb', 'a.adb'],
    ['a.adb ', 'a.adb'],
    ['a.adb.', 'a.adb'],
    ['a. adb', 'a.adb'],
    ['1st.adb', 'unit_1st.adb'],
    ['foo__bar.adb', 'foo_bar.adb'],
    ['foo_.adb', 'foo.adb'],
    ['_foo.adb', 'foo.adb'],
    ['foo-.adb', 'foo.adb'],
    ['foo--bar.adb', 'foo-bar.adb'],
    ["o'b.adb", 'o_b.adb'],
    ['été.adb', 'ete.adb'],
    ['☃.adb', 'unit.adb'],
    ['.adb', 'unit.adb'],
    ['.hidden.adb', 'hidden.adb'],
    ['hello.ada', 'hello.adb'],
    ['loop.adb', 'my_loop.adb'],
    ['Loop.adb', 'my_loop.adb'],
    ['foo-end.adb', 'foo-my_end.adb'],
    ['task.ads', 'my_task.ads'],
    ['text_io.adb', 'my_text_io.adb'],
    ['Calendar.adb', 'my_calendar.adb'],
    ['system.ads', 'my_system.ads'],
    ['gnat.adb', 'my_gnat.adb'],
    ['a.CPP', 'a.cpp'],
    ['A.Cc', 'A.cc'],
    ['a.C', 'a.c'],
    ['a.C', 'a.cpp'],
    ['.c', 'program.c'],
    ['.hidden.cc', 'hidden.cc'],
    ['a.c ', 'a.c'],
  ])('%j: %j', (name, other) => {
    const words = mistakeIn('other.c', name, 'notes.txt');
    expect(words).toContain(`"${name}"`);
    expect(words).toContain(`"${other}"`);
    expect(mistakeIn(other)).toBeUndefined();
  });

  it('unless another file has the suggested name', () => {
    expect(mistakeIn('Greet.adb', 'greet.adb')).toMatch(/"Greet\.adb".*there is a "greet\.adb" already/);
  });

  it('on its own line for each name', () => {
    const words = mistakeIn('Greet.adb', 'Names.ads', 'a.c', 'B.CPP');
    expect(words?.split('\n').map((line) => /"[^"]*"/.exec(line)?.[0])).toEqual([
      '"Greet.adb"',
      '"Names.ads"',
      '"B.CPP"',
    ]);
  });

  it('for a body of a library unit, and not for its specification', () => {
    expect(mistakeIn('calendar.ads', 'calendar.adb')).toBeUndefined();
    expect(mistakeIn('calendar.adb')).toContain("Ada's own library");
  });

  it('that is a valid name for any wrong name', () => {
    const stem = fc.string({
      unit: fc.oneof(fc.constantFrom('_', '-', '.', '~', 'a', 'G', '1', ' ', 'end'), fc.string()),
    });
    fc.assert(fc.property(stem, (text) => isAdaName(adaNameFor(text))));
  });
});

describe('the file of the main program', () => {
  it('may contain no further dot in its name', () => {
    expect(mainMistake({ file: 'a.b.c', executable: 'a' }, [])).toMatch(/"a\.b\.c".*"a_b\.c"/);
    expect(mainMistake({ file: 'a b.c', executable: 'a b' }, [])).toBeUndefined();
    expect(mainMistake({ file: 'a.b.cc', executable: 'a' }, filesOf({ 'a_b.cc': '' }))).toContain('already');
  });
});

describe('sources with the same object file', () => {
  it.each([
    [['a.c', 'a.cpp']],
    [['a.adb', 'a.c']],
    [['a.ads', 'a.c']],
    [['a.ads', 'a.adb', 'a.cc']],
    [['a.cc', 'a.cpp', 'a.c']],
    [['a.b.c', 'a.b.cpp']],
  ])('are reported: %j', (names) => {
    expect(mistakeIn(...names)).toMatch(/same file/);
    expect(mistakeIn(...names)).toContain(`"${names.at(-1)}"`);
  });

  it.each([[['a.ads', 'a.adb']], [['a.c', 'a.h', 'a.hpp', 'a.txt']], [['a.c', 'A.c']], [['a.b.c', 'a.c.c']]])(
    'are not found in %j',
    (names) => {
      expect(mistakeIn(...names)).toBeUndefined();
    },
  );

  it('are not found for a subunit and a file in another language', () => {
    const files = { 'x.adb': '', 'x-y.adb': 'separate (X)\nprocedure Y is', 'x-y.c': '' };
    expect(sourceMistake(filesOf(files))).toBeUndefined();
  });

  it('include files of the same Ada unit', () => {
    expect(mistakeIn('a-foo.ads', 'a__foo.ads')).toContain('the same Ada unit');
  });
});

describe('a project without a source', () => {
  it('gets an explanation of source names and a list of its files', () => {
    expect(mistakeIn('notes.txt', 'hello.py')).toBe(
      'There is no source file in this project: "notes.txt" and "hello.py" cannot be compiled. ' +
        'An Ada file ends in .adb or .ads, a C file in .c, a C++ file in .cpp.',
    );
    expect(mistakeIn()).toMatch(/^There is no source file in this project\. An Ada file/);
  });

  it('is not one that contains a header', () => {
    expect(mistakeIn('a.h')).toBeUndefined();
    expect(mistakeIn('a.hpp')).toBeUndefined();
  });
});
