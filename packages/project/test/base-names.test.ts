import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { checkBaseName } from '../src/base-names.js';
import { ProjectError } from '../src/project-error.js';

const check = (name: string) => () => checkBaseName(name, 'files[0].basename', 200);

describe('a base name', () => {
  it.each([
    ...['main.adb', 'foo-bar.ads', 'a.b.c', 'Makefile', '.hidden', 'with space.c', "o'brien.c", 'été.adb'],
    ...[
      '☃😀.txt',
      'data.so.txt',
      'solo',
      'a.out',
      'main.gpr',
      'main.adc',
      'ali',
      'foo.O',
      'b.adb',
      'base.adb',
      '...',
      '-o',
      '@x',
      'gprbuild',
      'Main.GPR',
    ],
  ])('may be %j', (name) => {
    expect(check(name)).not.toThrow();
  });

  it.each([
    ['', 'empty'],
    ['.', 'folder'],
    ['..', 'folder'],
    ['a/b.adb', '"/"'],
    ['/etc/passwd', '"/"'],
    ['..\\a.adb', '"\\"'],
    ['C:main.adb', '":"'],
    ['a\0.adb', 'control'],
    ['a\n.adb', 'control'],
    ['a\x7f.adb', 'control'],
    ['a\x85.adb', 'control'],
    ['a\ud800.adb', 'Unicode'],
    ['\udc00', 'Unicode'],
  ])('is refused if it is not a plain file name: %j', (name, words) => {
    expect(check(name)).toThrow(words);
  });

  it.each([
    ...['main.o', 'libx.a', 'x.so', 'libc.so.6', 'libx.so.1.2', 'main.ali', 'main.d', 'util.h.gch', 'auto.cgpr'],
    ...['main.bexch', 'b__main.adb', 'b~main.ads', 'gnatprove', '-fplugin=x.c', '-o.adb', '@switches.c'],
    ...['-x.cc', '-fplugin=x.cxx', '-o.c++', '@x.cp', '@x.hpp'],
  ])('is refused if the tools use it themselves: %j', (name) => {
    expect(check(name)).toThrow('The tools would take');
  });

  it('may have 200 bytes, counted in UTF-8', () => {
    expect(check('é'.repeat(98) + '.adb')).not.toThrow();
    expect(check('é'.repeat(98) + 'x.adb')).toThrow('201 bytes');
  });

  it('is named in its error', () => {
    expect(check('..')).toThrow(expect.objectContaining({ path: 'files[0].basename' }));
  });

  it('is always one path component if it is accepted', () => {
    const unit = fc.constantFrom('.', '/', '\\', '\0', '\n', 'a', 'o', '-', '\ud800', 'é', ':');
    fc.assert(
      fc.property(fc.string({ unit }), (name) => {
        try {
          checkBaseName(name, '', 200);
        } catch (error) {
          return error instanceof ProjectError;
        }
        return new URL(encodeURIComponent(name), 'file:///folder/').pathname === `/folder/${encodeURIComponent(name)}`;
      }),
    );
  });
});
