import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { actualText, explainMissingCases, judge, parseLab } from '../src/labs.js';

describe('lab_io.txt', () => {
  it('contains cases of arguments and expected output', () => {
    expect(parseLab('in 1: 1 2\nout 1: 3\n', [])).toEqual([
      { key: '1', in: ['1', '2'], out: ' 3', arguments: ['1', '2'] },
    ]);
  });

  it('keeps spaces at both ends of the expected output', () => {
    expect(parseLab('out1: 4\nout 2:4\nout 10: 5 \n', []).map(({ out }) => out)).toEqual([' 4', '4', ' 5 ']);
  });

  it('ignores lines that belong to no case', () => {
    const text = 'this line is not a case\n  in 3: 9\nout 1extra: 3\nin : 1\nIn 5: 1\nin -7: 1\nin 8 9\nout 8\nin8\n';
    expect(parseLab(text, [])).toEqual([]);
  });

  it('may lack either line of a case', () => {
    expect(parseLab('in 4: 7\nout 5: 0\n', ['x'])).toEqual([
      { key: '4', in: ['7'], out: null, arguments: ['7'] },
      { key: '5', in: null, out: ' 0', arguments: ['x'] },
    ]);
  });

  it('uses the arguments of cli.txt for a case without its own', () => {
    expect(parseLab('in 1:\nout 1:\n', ['x', 'y'])).toEqual([{ key: '1', in: [], out: '', arguments: ['x', 'y'] }]);
  });

  it('may have white space before a key', () => {
    expect(parseLab('in\t1: a\nout   1: b\n', [])).toEqual([{ key: '1', in: ['a'], out: ' b', arguments: ['a'] }]);
  });

  it.each([
    ['Windows', 'in 1: a\r\nout 1: b\r\n'],
    ['an old Mac', 'in 1: a\rout 1: b\r'],
    ['several systems', 'in 1: a\r\n\rout 1: b\n'],
    ['an editor that adds a byte order mark', '\uFEFFin 1: a\nout 1: b\n'],
    ['an editor that omits the final line end', 'in 1: a\nout 1: b'],
  ])('may come from %s', (_, text) => {
    expect(parseLab(text, [])).toEqual([{ key: '1', in: ['a'], out: ' b', arguments: ['a'] }]);
  });

  it('is parsed in linear time', () => {
    // Without a clock: worse than linear time would exceed the test's timeout.
    for (const piece of ['in ', 'in', ' ', 'in 1', '1', '\r', 'in \n']) {
      expect(parseLab(`in${piece.repeat(1_000_000 / piece.length)}`, [])).toEqual([]);
    }
  });

  it('keeps the order of keys, and the last of repeated lines', () => {
    const cases = parseLab('out 10:a\nin 2: b\nout10:c\nin 01: d\n', []);
    expect(cases.map(({ key, out }) => [key, out])).toEqual([
      ['10', 'c'],
      ['2', null],
      ['01', null],
    ]);
  });

  it('is parsed between any other lines', () => {
    const line = fc.string({ unit: fc.constantFrom(' ', ':', 'a', '"', '1', 'in', 'out', '\t', '☃') });
    const noise = line.filter((text) => !/^(in|out)\s*[0-9]+:/.test(text));
    const lab = fc.uniqueArray(fc.tuple(fc.nat(), line, line, noise), { selector: ([key]) => key });
    fc.assert(
      fc.property(lab, fc.constantFrom('\n', '\r\n', '\r'), (cases, end) => {
        const lines = cases.flatMap(([key, into, out, other]) => [`in ${key}:${into}`, other, `out${key}:${out}`]);
        expect(parseLab(lines.join(end), ['cli'])).toEqual(
          cases.map(([key, into, out]) => {
            const words = into.split(/\s+/).filter((word) => word !== '');
            return { key: String(key), in: words, out, arguments: words.length > 0 ? words : ['cli'] };
          }),
        );
      }),
    );
  });
});

describe('a lab without a case', () => {
  it('gets an explanation of a case, with or without lab_io.txt', () => {
    expect(explainMissingCases(true)).toMatch(/lab_io\.txt has no case\..*"in 1: 2 3".*"out 1:5"/);
    expect(explainMissingCases(false)).toMatch(/the project has no lab_io\.txt\..*"in 1: 2 3".*"out 1:5"/);
  });
});

describe('the actual text', () => {
  it.each([
    [' 6\n', ' 6'],
    ['a\nb\nc\n', 'a b c'],
    ['a\r\nb\r\n', 'a b'],
    ['a\n\nb \n \n', 'a  b'],
    ['', ''],
  ])('of %j is %j', (stdout, text) => {
    expect(actualText(stdout)).toBe(text);
  });
});

describe('the verdict', () => {
  const cases = parseLab('in 1: 1\nout 1: 1\nin 2: 2\nout 2:2\nin 3: 3\nout 4:\n', []);

  it('is a success if every case passes', () => {
    expect(judge(cases.slice(0, 1), new Map([['1', ' 1\n']]))).toEqual({
      success: true,
      cases: { '1': { in: ['1'], out: ' 1', actual: ' 1', status: 'Success' } },
    });
  });

  it('shows each failed case: other output, no expected output, never run', () => {
    const verdict = judge(
      cases,
      new Map([
        ['1', ' 1\n'],
        ['2', ' 2\n'],
        ['3', ''],
      ]),
    );
    expect(verdict.success).toBe(false);
    expect(verdict.cases).toEqual({
      '1': { in: ['1'], out: ' 1', actual: ' 1', status: 'Success' },
      '2': { in: ['2'], out: '2', actual: ' 2', status: 'Failed' },
      '3': { in: ['3'], out: null, actual: '', status: 'Failed' },
      '4': { in: null, out: '', actual: '', status: 'Failed' },
    });
  });
});
