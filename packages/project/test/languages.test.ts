import { describe, expect, it } from '@jest/globals';

import { kindOf, languagesOf } from '../src/languages.js';
import { filesOf } from './requests.js';

describe('the languages', () => {
  it('are listed as Ada, c, c++ whatever the order of the files', () => {
    const files = filesOf({ 'a.cpp': '', 'b.h': '', 'c.ads': '', 'd.adb': '', 'notes.txt': '' });
    expect(languagesOf(files)).toEqual(['Ada', 'c', 'c++']);
    expect(languagesOf(filesOf({ 'a.hh': '' }))).toEqual(['c++']);
  });

  it.each(['a.cc', 'a.cxx', 'a.c++', 'a.cp', 'a.hpp', 'a.hxx', 'a b.cc'])('include C++ for %j', (name) => {
    expect(languagesOf(filesOf({ [name]: '' }))).toEqual(['c++']);
  });

  it('are empty if no file has a known ending', () => {
    expect(
      languagesOf(filesOf({ 'notes.txt': '', adb: '', 'A.ADB': '', '.c': '', '.adb': '', 'x.cpp.txt': '' })),
    ).toEqual([]);
  });
});

describe('the kind of a source', () => {
  it('tells whether it is compiled and must be listed in the project file', () => {
    expect(kindOf('a.ads')).toEqual({ language: 'Ada', isHeader: false, isListed: false });
    expect(kindOf('a.h')).toEqual({ language: 'c', isHeader: true, isListed: false });
    expect(kindOf('a.cc')).toEqual({ language: 'c++', isHeader: false, isListed: true });
    expect(kindOf('a.hpp')).toEqual({ language: 'c++', isHeader: true, isListed: true });
    expect(kindOf('a.txt')).toBeUndefined();
  });
});
