import { describe, expect, it } from '@jest/globals';
import { isReproducible } from '../src/reproducible.js';

const c = (contents: string) => isReproducible([{ basename: 'main.c', contents }]);
const ada = (contents: string) => isReproducible([{ basename: 'main.adb', contents }]);

describe('a build that comes out the same whenever it is made', () => {
  it.each([
    '#include <stdio.h>\nint main(void) { puts("hello"); }\n',
    '# include "own.h"\n#include  <vector>\nint including;\n',
    '/* what the date is, nobody asks */ int date;\n',
  ])('is that of %j', (text) => expect(c(text)).toBe(true));

  it('is that of an Ada program', () => {
    expect(ada('with Ada.Text_IO;\nprocedure Main is\nbegin\n   Ada.Text_IO.Put_Line ("asm is a word, date & time too");\nend Main;\n')).toBe(false);
    expect(ada('with Ada.Text_IO;\nprocedure Main is\nbegin\n   Ada.Text_IO.Put_Line ("date & time");\nend Main;\n')).toBe(true);
  });
});

describe('a build that may come out differently the next time', () => {
  it.each([
    ['a macro for the time', 'char *t = __TIME__;'],
    ['a macro for the date', 'char *t = __DATE__;'],
    ['a macro for the time of the file', 'char *t = __TIMESTAMP__;'],
    ['one over two lines', 'char *t = __TI\\\nME__;'],
    ['one over two lines, with a space behind the backslash', 'char *t = __TI\\ \nME__;'],
    ['one over two lines by a trigraph', 'char *t = __TI??/\nME__;'],
    ['words that are pasted', '#define P(a, b) a ## b\nchar *t = P(__TI, ME__);'],
    ['words that are pasted by a digraph', '%:define P(a, b) a %:%: b\nchar *t = P(__TI, ME__);'],
    ['a file by its path', '#include "/proc/self/environ"'],
    ['a file by its path, with spaces', '#  include <  /etc/passwd>'],
    ['a file by a path that leads upwards', '#include "../../proc/uptime"'],
    ['a file by an older word', '#import "/proc/uptime"'],
    ['a file behind a digraph', '%:include "/proc/uptime"'],
    ['the age of a file', '#pragma GCC dependency "main.h" be careful'],
    ['a name that is made up', '#define NAME "/proc/uptime"\n#include NAME'],
    ['an embedded file', '#embed "/proc/uptime"'],
    ['assembler that reads a file', 'asm(".incbin \\"/proc/uptime\\"");'],
    ['assembler that reads a file by parts of words', '__asm__(".inc" "bin \\"/pr" "oc/uptime\\"");'],
  ])('%s', (_, text) => expect(c(text)).toBe(false));

  it.each(['GNAT.Source_Info.Compilation_Time', 'gnat.source_info', 'COMPILATION_ISO_DATE', 'Compilation_Date'])('%s in Ada', (name) => {
    expect(ada(`with GNAT.Source_Info; procedure Main is begin Put (${name}); end;`)).toBe(false);
  });

  it('is every one with such a file in it', () => {
    expect(isReproducible([{ basename: 'a.h', contents: 'char *t = __TIME__;' }, { basename: 'main.c', contents: '#include "a.h"' }])).toBe(false);
  });
});
