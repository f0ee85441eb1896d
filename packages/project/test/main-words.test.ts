import { describe, expect, it } from '@jest/globals';

import { explainMissingMain } from '../src/main-words.js';
import { filesOf } from './requests.js';

const MAIN = 'int main(void) { return 0; }';
const explain = (contents: Readonly<Record<string, string>>) => explainMissingMain(filesOf(contents));

describe('a missing main is explained', () => {
  it('in terms of Ada', () => {
    const words = explain({ 'consts.ads': '', 'consts.adb': '', 'notes.txt': '' });
    expect(words).toBe(
      'There is no main program to run. Add a procedure that is not in a package, in an .adb file such as main.adb.',
    );
  });

  it.each([
    [{ 'lib.c': 'int twice(int n);', 'lib.h': '' }, '.c file'],
    [{ 'lib.cpp': 'int twice(int n);', 'lib.h': '' }, '.cpp file'],
    [{ 'lib.cc': '', 'notes.txt': '' }, '.cpp file'],
  ])('in terms of C or C++: %j', (files, ending) => {
    const words = explain(files);
    expect(words).toMatch(/no main .* a function main, such as int main\(void\)/);
    expect(words).toContain(ending);
    expect(words).not.toMatch(/procedure|main\.adb/);
  });

  it('in terms of both', () => {
    expect(explain({ 'lib.c': '', 'consts.ads': '' })).toMatch(/procedure .* main\.adb, or a function main/);
  });

  it('with the header that contains it', () => {
    const words = explain({ 'lib.c': 'int f();', 'lib.h': 'int f();', 'start.h': MAIN });
    expect(words).toContain(
      '"start.h" defines the function main, but nothing is compiled from a header. Move main to a .c file.',
    );
  });
});

describe('several mains are listed', () => {
  it('in terms of Ada', () => {
    const words = explain({ 'first.adb': '', 'second.adb': '', 'third.adb': '' });
    expect(words).toMatch(
      /no main .*only one can run: "first.adb", "second.adb" and "third.adb" can each be the main program\. Rename that one to main\.adb/,
    );
  });

  it('in terms of C', () => {
    const words = explain({ 'a.c': MAIN, 'b.cpp': MAIN, 'c.c': '' });
    expect(words).toMatch(
      /no main .*only one can run: "a.c" and "b.cpp" each define the function main\. Keep main in one file/,
    );
    expect(words).not.toMatch(/procedure|main\.adb/);
  });

  it('in terms of both', () => {
    expect(explain({ 'a.c': MAIN, 'b.adb': '' })).toMatch(
      /no main .*"a.c" and "b.adb" can each be the main program\. Leave out the others/,
    );
  });
});
