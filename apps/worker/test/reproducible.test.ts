import { describe, expect, it } from '@jest/globals';

import { isReproducible } from '../src/toolchain/reproducible.js';

const source = (basename: string, contents: string) => ({ basename, contents });
const c = (contents: string) => isReproducible([source('main.c', contents)]);
const cpp = (contents: string) => isReproducible([source('main.cpp', contents)]);
const ada = (contents: string) => isReproducible([source('main.adb', contents)]);
const inAda = (declaration: string) =>
  ada(`with Ada.Text_IO;\nprocedure Main is\n   ${declaration}\nbegin\n   null;\nend Main;\n`);

/** Just below the size above which nothing is checked. */
const LONGEST = 480_000;
const SLOWEST_MS = 2000;

describe('caches the build of', () => {
  it.each([
    '#include <stdio.h>\nint main(void) { puts("hello"); }\n',
    '#include <sys/types.h>\n#  include  <math.h>  // sines\nint including;\n',
    '/* what the date is, nobody asks */ int date; // asm, __TIME__\n',
    'int main(void) {\r\n  puts("asm, import and __DATE__ are words");\r\n}\r\n',
    '#ifndef QUEUE_H\n#define QUEUE_H\n#endif\n',
    '#ifndef __QUEUE__\n#define __QUEUE__\n#endif // __QUEUE__\n',
    '#define _GNU_SOURCE\n#define MAX(a, b) \\\n  ((a) > (b) ? (a) : (b))\nchar *word = "ERROR";\n#define TEXT(x) #x\n',
    "char quote = '\\'', other = '\"'; int n = 0x7f; double d = 1.5e-3; // it's\n",
    '\uFEFF#include <stdio.h>\nint target, section;\n',
    'printf("%s %d\\n", __func__, __LINE__);\n',
    "#pragma once\n#pragma pack(push, 1)\n#pragma omp parallel for\n#error don't\n",
  ])('the C program %j', (text) => expect(c(text)).toBe(true));

  it.each([
    "#include <bits/stdc++.h>\nint big = 1'000'000, mask = 0xff'ff'ff;\n",
    'auto text = R"(a "quoted"\n line: asm)", other = u8R"x()")x";\n',
    '[[nodiscard]] int f();\ntemplate <typename T> T g(T a) { return a; }\n',
    'std::string café = "naïve";\n',
  ])('the C++ program %j', (text) => expect(cpp(text)).toBe(true));

  it.each([
    'S : String := "pragma Comment, asm; date & time"; -- pragma Ident',
    "C : Character := '\"'; -- a quote",
    'S : String := "[" & "41" & "]" & "50%";',
    'pragma Warnings (Off, "unused");',
    'pragma Import (C, Foo, "foo");',
    'X : Integer with Export, Convention => C, External_Name => "the_x";',
    'Élève : Integer;',
  ])('an Ada program with %j', (declaration) => expect(inAda(declaration)).toBe(true));

  it('sources that include each other', () => {
    expect(
      isReproducible([
        source('main.c', '#include "own.h"\n#include "./data.inc"'),
        source('own.h', ''),
        source('data.inc', '1,'),
      ]),
    ).toBe(true);
  });

  it('a program beside a file that no tool reads', () => {
    expect(isReproducible([source('main.c', 'int main(void) {}'), source('notes.txt', '__TIME__ \f')])).toBe(true);
  });
});

describe('does not cache a build that may contain the time:', () => {
  it.each([
    ['a macro', 'char *t = __TIME__;'],
    ['the date', 'char *t = __DATE__;'],
    ["the file's time", 'char *t = __TIMESTAMP__;'],
    ['a macro across two lines', 'char *t = __TI\\\nME__;'],
    ['a macro across two lines with CRLF', 'char *t = __TI\\\r\nME__;'],
    ['a space behind the backslash', 'char *t = __TI\\ \nME__;'],
    ['a form feed behind the backslash', 'char *t = __TI\\ \f\nME__;'],
    ['a vertical tab behind the backslash', 'char *t = __TI\\\v\nME__;'],
    ['a NUL behind the backslash', 'char *t = __TI\\\0\nME__;'],
    ['a trigraph', 'char *t = __TI??/\nME__;'],
    ['pasted words', '#define P(a, b) a ## b\nchar *t = P(__TI, ME__);'],
    ['pasted words with a digraph', '%:define P(a, b) a %:%: b\nchar *t = P(__TI, ME__);'],
    ['a system macro that pastes', '#include <sys/cdefs.h>\nchar *t = __CONCAT(__TI, ME__);'],
    ['a header that pastes "__" before a name', '#define atan TIME__\n#include <math.h>'],
    ['the middle of a macro', '#define atan TIME\n#include <math.h>'],
    ['the end of a macro', 'int x = STAMP__;'],
    ['escapes in a name', 'char *t = __\\u0054IME__;'],
    ['a comment that a lone CR ends', '// \rchar *t = __TIME__;'],
    ['code behind a string that only looks unfinished', 'char *t = "\'" __TIME__ "\'";'],
    ['code behind a raw string', 'char *s = R"(")" __TIME__;'],
    ['a raw string that keeps its backslash', 'char *s = R"(a)\\\n" __TIME__ R"()";'],
    ["a suffix that looks like a raw string's prefix", 'auto s = "a"R"(" __TIME__ ")";'],
    ['text that is code only in C', "int x = 1'0'__TIME__'0';"],
    ['text that is code only in C++', "int x = 1'0; char *t = __TIME__; int y = 1'0;"],
  ])('%s', (_, text) => expect([c(text), cpp(text)]).toEqual([false, false]));

  it.each(['GNAT.Source_Info.Compilation_Time', 'gnat.source_info', 'COMPILATION_ISO_DATE', 'Compilation_Date'])(
    '%s in Ada',
    (name) => {
      expect(ada(`with GNAT.Source_Info; procedure Main is begin Put (${name}); end;`)).toBe(false);
    },
  );

  it.each([
    'T : String := GNAT.Source_["49"]nfo.Compilation_["0054"]ime;',
    'T : String := GNAT.Source_ınfo.Compılation_Tıme;',
    'T : String := f"{Now}";',
    'function Compilation_Time return String with Import, Convention => Intrinsic;',
  ])('%j in Ada', (declaration) => expect(inAda(declaration)).toBe(false));

  it('if one of several files does', () => {
    expect(isReproducible([source('a.h', 'char *t = __TIME__;'), source('main.c', '#include "a.h"')])).toBe(false);
  });

  it('with two equal files, which are equal only if written in the same second', () => {
    expect(isReproducible([source('a.h', '#pragma once\n'), source('b.h', '#pragma once\n')])).toBe(false);
  });
});

describe('does not cache a build that may depend on another file:', () => {
  it.each([
    ['its path', '#include "/proc/self/environ"'],
    ['its path with spaces', '#  include <  /etc/passwd>'],
    ['a relative path', '#include "../../proc/uptime"'],
    ['#import', '#import "/proc/uptime"'],
    ['a digraph', '%:include "/proc/uptime"'],
    ['a comment within the directive', '#/**/include "/proc/uptime"'],
    ['a multi-line comment within the directive', '# /*\n*/ include /*\n*/ "/proc/uptime"'],
    ['a comment before the directive', '/*\n*/ #include "/proc/uptime"'],
    ['a directive behind code', 'int x = E(1\n/**/ + /*\n*/ #include "/proc/uptime"\n);'],
    ['a name from a macro', '#define NAME "/proc/uptime"\n#include NAME'],
    ['a name with a comment in it', '#include </proc//uptime>'],
    ['a file of the build', '#include "main.ali"'],
    ['a missing header', '#include "data.h"'],
    [
      'a system header that passes text to the assembler',
      '#include <immintrin.h>\nvoid f(void) { _tile_zero(0; .incbin "/proc/uptime"); }',
    ],
    ['#embed', '#embed "/proc/uptime"'],
    ['__has_include', '#if __has_include("/run/lock")\n#endif'],
    ['its age', '#pragma GCC dependency "main.h" be careful'],
    ['_Pragma', '_Pragma("GCC dependency \\"main.h\\"")'],
    ['#line, for a message that quotes it', '#line 1 "/etc/hostname"\nint x = y;'],
    ['a line marker', '# 1 "/etc/hostname"\nint x = y;'],
    ['assembler code', 'asm(".incbin \\"/proc/uptime\\"");'],
    ['assembler code in parts', '__asm__(".inc" "bin \\"/pr" "oc/uptime\\"");'],
    ['a section', '__attribute__((section(".data\\n.inc\\x62in \\"/proc/uptime\\"\\n"))) int y = 1;'],
    ['a section in C++', '[[using gnu: section(".data\\n.inc\\x62in \\"/proc/uptime\\"\\n")]] int y = 1;'],
    [
      "a section in an attribute of a header's",
      '#include <stdio.h>\n#define fclose fclose, 1), section("x"), malloc (fclose\n#include <wchar.h>',
    ],
    ["another meaning of a header's word", '#define __const__ __noreturn__\n#include <stdlib.h>'],
    ['another compiler for the headers', '#undef __GNUC__\n#include <stdlib.h>'],
    ['#ident', '#ident "a\\n\\x2eincbin \\"/proc/uptime\\""'],
    ['#pragma redefine_extname', '#pragma redefine_extname foo bar'],
    ['a module', 'import <vector>;'],
  ])('%s', (_, text) => expect([c(text), cpp(text)]).toEqual([false, false]));

  it.each([
    'X : Integer := 3 with Linker_Section => ".data" & ASCII.LF & ".incbin ""/proc/uptime""";',
    'pragma Comment ("a" & ASCII.LF & ".incbin ""/proc/uptime""");',
    'pragma -- as the assembler has it\n Ident ("a");',
    'pragma -- \'"\'\n Ident ("a");',
    'pragma Export (C, X, "a" & ASCII.LF);',
    'X : Integer with Export, Convention => C, External_Name => "a" & ASCII.LF;',
    'pragma Source_Reference (1, "/etc/hostname");',
    'pragma Linker_Options ("-T/proc/uptime");',
    'X : Character := \'"\'; pragma Ident ("a"); Y : Character := \'"\';',
    'X : String := %"%; pragma Ident ("a"); Y : String := %"%;',
    'X : String := "\u2028"; pragma Ident ("a"); Y : String := "";',
    '-- \fpragma Ident ("a");',
    'use System . Machine_Code;',
  ])('%j in Ada', (declaration) => expect(inAda(declaration)).toBe(false));

  it('a C source that includes an unchecked file', () => {
    expect(isReproducible([source('main.c', '#include "notes"'), source('notes', '__TIME__')])).toBe(false);
    expect(isReproducible([source('main.c', '#include "unit.ads"'), source('unit.ads', 'asm')])).toBe(false);
  });
});

describe('the check for reproducible builds', () => {
  const endless = [
    '"',
    "'",
    '/*',
    '/**/',
    'R"(',
    '"R"(',
    "1'",
    "1'0'0",
    '1e+',
    '#',
    '#\n',
    '#include',
    '\\',
    '\\ ',
    ' ',
    '_',
    '1',
    '%:',
    'pragma ',
    '--',
    '%',
    '""',
    'external_name =>',
  ];

  it.each(endless)('takes linear time for %j', (part) => {
    for (const basename of ['main.c', 'main.adb']) {
      const begin = performance.now();
      isReproducible([source(basename, part.repeat(LONGEST / part.length))]);
      expect(performance.now() - begin).toBeLessThan(SLOWEST_MS);
    }
  });

  it('rejects sources larger than a program may be', () => {
    expect(isReproducible([source('main.c', ' '.repeat(2 * LONGEST))])).toBe(false);
  });
});
