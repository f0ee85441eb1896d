import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { definesMain, findMain, languagesOf } from '../src/mains.js';
import { filesOf } from './requests.js';

const C_MAIN = '#include <stdio.h>\n\nint main(void) {\n  return 0;\n}\n';

const mainOf = (names: readonly string[], asked?: string) =>
  findMain(filesOf(Object.fromEntries(names.map((name) => [name, '']))), asked)?.file;

describe('the languages', () => {
  it('are listed as Ada, c, c++ whatever the order of the files', () => {
    expect(languagesOf(filesOf({ 'a.cpp': '', 'b.h': '', 'c.ads': '', 'd.adb': '', 'notes.txt': '' }))).toEqual([
      'Ada',
      'c',
      'c++',
    ]);
    expect(languagesOf(filesOf({ 'a.hh': '' }))).toEqual(['c++']);
  });

  it('are none where no file has one of their extensions', () => {
    expect(languagesOf(filesOf({ 'notes.txt': '', adb: '', 'A.ADB': '', 'x.cc': '' }))).toEqual([]);
  });
});

describe('the main', () => {
  it('is the only body without a spec', () => {
    expect(mainOf(['stacks.ads', 'stacks.adb', 'use_stack.adb'])).toBe('use_stack.adb');
  });

  it('is found by base names up to the last dot, and called by its name up to the first', () => {
    expect(mainOf(['a.b.ads', 'a.b.adb', 'a.c.adb'])).toBe('a.c.adb');
    expect(findMain(filesOf({ 'a.c.adb': '' }))).toEqual({ file: 'a.c.adb', executable: 'a' });
  });

  it('is the only C or C++ file that defines main', () => {
    expect(findMain(filesOf({ 'util.c': 'int f(void) { return 1; }\n', 'app.cpp': C_MAIN }))?.file).toBe('app.cpp');
  });

  it('is none in a package alone, and none among several that nothing tells apart', () => {
    expect(mainOf(['consts.ads', 'consts.adb'])).toBeUndefined();
    expect(mainOf(['first.adb', 'second.adb'])).toBeUndefined();
    expect(mainOf([])).toBeUndefined();
  });

  it('of several is the one whose name contains main.adb, domain.adb too', () => {
    expect(mainOf(['aside.adb', 'main.adb'])).toBe('main.adb');
    expect(mainOf(['aside.adb', 'domain.adb'])).toBe('domain.adb');
  });

  it('cannot be two that are called main.adb', () => {
    expect(() => mainOf(['domain.adb', 'main.adb'])).toThrow(expect.objectContaining({ path: 'main' }));
    expect(mainOf(['domain.adb', 'main.adb'], 'main.adb')).toBe('main.adb');
  });

  it('is never a file with nothing before its first dot', () => {
    expect(mainOf(['.adb', 'first.adb'])).toBe('first.adb');
    expect(() => mainOf(['.adb'], '.adb')).toThrow('nothing before its first dot');
  });

  it.each([
    ['second.adb', 'second.adb'],
    ['Second', 'second.adb'],
    ['second', 'second.adb'],
    ['Foo.Bar', 'foo-bar.adb'],
    ['Instance', 'instance.ads'],
    ['app', 'app.c'],
    ['', 'main.adb'],
  ])('is what the request names: %j', (asked, file) => {
    expect(mainOf(['second.adb', 'foo-bar.adb', 'instance.ads', 'app.c', 'main.adb'], asked)).toBe(file);
  });

  it.each(['third.adb', 'SECOND.ADB', 'Second.Child', '/second.adb', 'notes', ' '])(
    'cannot be %j, which names nothing that was sent',
    (asked) => {
      expect(() => mainOf(['second.adb', 'notes.txt'], asked)).toThrow(expect.objectContaining({ path: 'main' }));
    },
  );
});

describe('a C file defines main', () => {
  it.each([
    'int main(void) {',
    'void main(){',
    'int main(int argc, char *argv[])\n{',
    'int main(int argc,\n         char **argv)\r\n{',
    'int\tmain (void)  {',
    '// the start\nint main(int argc, char *(argv[])) {',
  ])('with %j', (text) => {
    expect(definesMain(text)).toBe(true);
  });

  it.each([
    'int main(void);\nint f(void) {',
    '  int main(void) {',
    'static int main(void) {',
    'int mainly(void) {',
    'int main {',
    'int main(void',
    'int main(void)',
    '/* int main(void) { */',
    'int main = (3); {',
  ])('but not with %j', (text) => {
    expect(definesMain(text)).toBe(false);
  });

  it('wherever the line stands among hostile text', () => {
    const noise = fc.array(fc.constantFrom('int main(', 'int ', 'void main', ')', ' ', '\t', '{', '}', ';', '\n', 'x'));
    fc.assert(
      fc.property(noise, noise, (before, after) => {
        expect(definesMain(`${before.join('')};\nint main(void) {${after.join('')}`)).toBe(true);
      }),
    );
  });

  it('in time that grows with the text and no faster', () => {
    // No clock is asked: with a pattern that is worse than linear, this would not come to its end.
    const length = 2_000_000;
    for (const piece of [
      'int main(',
      'int main()\n',
      'int main())))',
      '\nint main(\n',
      'int ',
      'int\t',
      'int main(void) ',
      ' ',
    ]) {
      expect(definesMain(`int main(${piece.repeat(length / piece.length)}`)).toBe(false);
      expect(definesMain(`int ${piece.repeat(length / piece.length)}`)).toBe(false);
    }
  });
});
