import { describe, expect, it } from '@jest/globals';

import { unitKeyword } from '../src/ada-unit.js';

describe('the keyword of an Ada unit', () => {
  it.each([
    ['procedure Main is', 'procedure'],
    ['package body P is', 'package'],
    ['generic\nprocedure P;', 'generic'],
    ['separate (Show)\nprocedure Part is', 'separate'],
    ['SEPARATE(Show) procedure Part is', 'separate'],
    ['with Ada.Text_IO; use Ada.Text_IO;\n\nseparate (Show.Inner)\nfunction Part return Integer is', 'separate'],
    ['limited with A; private with B, C;\nuse type A.T;\nseparate (Show)', 'separate'],
    ['-- separate (Show)\nprocedure Main is', 'procedure'],
    ['-- it"s\nseparate -- (\n(Show)', 'separate'],
    ['pragma Warnings (Off, "; separate (--");\nprocedure Main is', 'procedure'],
    ["pragma Annotate (X, '\"', ';');\nseparate (Show)", 'separate'],
    ['pragma Style_Checks ("a""; separate (b");\nprocedure Main is', 'procedure'],
    ['procedure Show is\n   procedure Part is separate;\nbegin\n   Part;\nend Show;', 'procedure'],
    ['private procedure P is', 'procedure'],
    ['\uFEFF-- comment\r-- more\rseparate (Show)\r', 'separate'],
    ['with A;\r\nseparate (Show)\r\n', 'separate'],
    ['with Ada.Text_IO; "', '"'],
    ['with Ada.Text_IO', ''],
    ['', ''],
  ])('in %j is %j', (text, keyword) => {
    expect(unitKeyword(text)).toBe(keyword);
  });

  it('is found in linear time', () => {
    // Without a clock: worse than linear time would exceed the test's timeout.
    const length = 1_000_000;
    for (const piece of ['with ', 'with A; ', '"', "'", "' ", '-- ', '--\n', '-', ' ', '\r', '""', '"\n', 'é']) {
      expect(unitKeyword(`with ${piece.repeat(length / piece.length)}`)).not.toBe('separate');
    }
  });
});
