import { describe, expect, it } from '@jest/globals';

import { findMain, mainCandidates } from '../src/mains.js';
import { filesOf } from './requests.js';

const C_MAIN = '#include <stdio.h>\n\nint main(void) {\n  return 0;\n}\n';

const mainOf = (names: readonly string[], asked?: string) =>
  findMain(filesOf(Object.fromEntries(names.map((name) => [name, '']))), asked)?.file;

describe('the main', () => {
  it('is the only body without a spec', () => {
    expect(mainOf(['stacks.ads', 'stacks.adb', 'use_stack.adb'])).toBe('use_stack.adb');
  });

  it('has its file name up to the last dot as base name, and up to the first dot as program name', () => {
    expect(mainOf(['a.b.ads', 'a.b.adb', 'a.c.adb'])).toBe('a.c.adb');
    expect(findMain(filesOf({ 'a.c.adb': '' }))).toEqual({ file: 'a.c.adb', executable: 'a' });
  });

  it('is the only C or C++ file that defines main', () => {
    expect(findMain(filesOf({ 'util.c': 'int f(void) { return 1; }\n', 'app.cpp': C_MAIN }))?.file).toBe('app.cpp');
  });

  it('may be C++ with any ending, and never a header', () => {
    for (const file of ['a.cc', 'a.cxx', 'a.c++', 'a.cp', 'a b.cpp']) {
      const other = { [`x-${file}`]: 'int f();', 'a.h': C_MAIN, 'b.hpp': C_MAIN, 'notes.txt': C_MAIN };
      expect(findMain(filesOf({ ...other, [file]: C_MAIN }))).toEqual({ file, executable: file.replace(/\..*/, '') });
    }
    expect(findMain(filesOf({ 'a.h': C_MAIN, 'b.hh': C_MAIN, 'c.hpp': C_MAIN, 'd.hxx': C_MAIN }))).toBeUndefined();
  });

  it('is never a subunit', () => {
    const part = 'with Ada.Text_IO;\nseparate (Show)\nprocedure Part is begin null; end Part;\n';
    expect(findMain(filesOf({ 'show-part.adb': part, 'show.adb': 'procedure Show is' }))?.file).toBe('show.adb');
    expect(findMain(filesOf({ 'main.adb': part }))).toBeUndefined();
    expect(() => findMain(filesOf({ 'show-part.adb': part }), 'Show.Part')).toThrow('"separate"');
  });

  it('may be main.adb with a main.ads, unlike other bodies', () => {
    const files = filesOf({
      'main.ads': 'procedure Main;',
      'main.adb': 'procedure Main is',
      'domain.ads': '',
      'domain.adb': '',
    });
    expect(findMain(files)?.file).toBe('main.adb');
  });

  it('is not the body of a package called main', () => {
    const files = {
      'main.ads': 'package Main is',
      'main.adb': 'with X;\npackage body Main is',
      'x.adb': 'procedure X is',
    };
    expect(findMain(filesOf(files))?.file).toBe('x.adb');
  });

  it('is chosen among the candidates, which the error names', () => {
    expect(mainCandidates(filesOf({ 'b.adb': '', 'c.ads': '', 'c.adb': '', 'a.c': C_MAIN, 'd.c': '' }))).toEqual([
      'b.adb',
      'a.c',
    ]);
  });

  it('is undefined for only a package, and for several equal candidates', () => {
    expect(mainOf(['consts.ads', 'consts.adb'])).toBeUndefined();
    expect(mainOf(['first.adb', 'second.adb'])).toBeUndefined();
    expect(mainOf([])).toBeUndefined();
  });

  it('is the candidate whose name contains main.adb, also domain.adb', () => {
    expect(mainOf(['aside.adb', 'main.adb'])).toBe('main.adb');
    expect(mainOf(['aside.adb', 'domain.adb'])).toBe('domain.adb');
  });

  it('is ambiguous if two names contain main.adb', () => {
    expect(() => mainOf(['domain.adb', 'main.adb'])).toThrow(
      '"domain.adb" and "main.adb" both have main.adb in their names',
    );
    expect(mainOf(['domain.adb', 'main.adb'], 'main.adb')).toBe('main.adb');
  });

  it('is never a file without a name before its first dot', () => {
    expect(mainOf(['.adb', 'first.adb'])).toBe('first.adb');
    expect(() => mainOf(['.a.adb'], '.a.adb')).toThrow('nothing before its first dot');
  });

  it.each([
    ['second.adb', 'second.adb'],
    ['Second', 'second.adb'],
    ['second', 'second.adb'],
    ['Foo.Bar', 'foo-bar.adb'],
    ['Instance', 'instance.ads'],
    ['app', 'app.c'],
    ['', 'main.adb'],
  ])('is the one that the request names: %j', (asked, file) => {
    expect(mainOf(['second.adb', 'foo-bar.adb', 'instance.ads', 'app.c', 'main.adb'], asked)).toBe(file);
  });

  it.each([
    ['third.adb', '"third.adb", which names no file'],
    ['SECOND.ADX', 'names no file'],
    ['Second.Child', 'names no file'],
    ['/second.adb', 'names no file'],
    ['notes', 'names no file'],
    [' ', 'names no file'],
    ['"\n', '"\\"\\n", which names no file'],
    ['notes.txt', '"notes.txt" cannot be the main program: it is not a source file'],
    ['util.h', '"util.h" cannot be the main program: it is a header'],
    ['util.hpp', 'it is a header'],
  ])('cannot be %j, with an explanation', (asked, words) => {
    const files = ['second.adb', 'notes.txt', 'util.h', 'util.hpp'];
    expect(() => mainOf(files, asked)).toThrow(
      expect.objectContaining({ path: 'main', message: expect.stringContaining(words) }),
    );
  });
});
