import { describe, expect, it } from '@jest/globals';
import { MODES, type RunProgramRequest } from '@code-widgets/protocol';
import fc from 'fast-check';

import { anyCharacter } from '../../../test/lib/any-character.js';
import { REQUEST_LIMITS } from '../src/limits.js';
import { createProject, ProjectError } from '../src/project.js';
import { filesOf, refusalOf, runRequest } from './requests.js';

describe('a project', () => {
  it('has its sources and the two generated files', () => {
    const project = createProject(runRequest({ 'hello.adb': 'x\n', 'notes.txt': 'y' }, { name: 'Demo' }));
    expect(project).toMatchObject({ name: 'Demo', mode: 'run', main: { file: 'hello.adb', executable: 'hello' } });
    expect(project.sources).toEqual(filesOf({ 'hello.adb': 'x\n', 'notes.txt': 'y' }));
    expect(project.files.map(({ basename }) => basename)).toEqual(['hello.adb', 'notes.txt', 'main.gpr', 'main.adc']);
    expect(project.files[2]?.contents).toContain('for Main use ("hello");');
  });

  it.each([
    ['a.adb', 'x', 'x\n'],
    ['a.ads', 'x\r\ny', 'x\r\ny\n'],
    ['a.adb', 'x\r', 'x\r'],
    ['a.adb', '', '\n'],
    ['a.c', 'x', 'x'],
    ['a.txt', 'x', 'x'],
  ])('adds a final line end to Ada sources for a run: %s %j', (basename, contents, wanted) => {
    expect(createProject(runRequest({ [basename]: contents })).files[0]?.contents).toBe(wanted);
    expect(createProject({ name: 'x', files: filesOf({ [basename]: contents }) }).files[0]?.contents).toBe(contents);
  });

  it('replaces main.gpr and main.adc that a client sends', () => {
    const { sources, files } = createProject(runRequest({ 'main.gpr': 'evil', 'a.adb': '', 'main.adc': 'evil' }));
    expect(sources.map(({ basename }) => basename)).toEqual(['a.adb']);
    expect(files).toHaveLength(3);
    expect(files.some(({ contents }) => contents.includes('evil'))).toBe(false);
  });

  it('uses cli.txt for its arguments and not as a source', () => {
    const project = createProject(runRequest({ 'a.adb': '', 'cli.txt': 'one  two\nthree "four five" $HOME *\n' }));
    expect(project.arguments).toEqual(['one', 'two', 'three', '"four', 'five"', '$HOME', '*']);
    expect(project.sources).toHaveLength(1);
    expect(createProject(runRequest({ 'cli.txt': ' \n' })).arguments).toEqual([]);
  });

  it.each(['\uFEFFone two\n', 'one\rtwo\r', '\uFEFF\r\none\r\ntwo'])(
    "reads arguments from any editor's text: %j",
    (text) => {
      expect(createProject(runRequest({ 'cli.txt': text })).arguments).toEqual(['one', 'two']);
    },
  );

  it('has a mistake and no main if a source has a wrong name', () => {
    for (const mode of MODES) {
      const project = createProject(runRequest({ 'Greet.adb': 'x', 'main.adb': '' }, { mode, main: 'greet' }));
      expect(project.mistake).toContain('"greet.adb"');
      expect(project.main).toBeUndefined();
    }
    expect(createProject(runRequest({ 'greet.adb': 'x' }))).not.toHaveProperty('mistake');
  });

  it('has a mistake if gprbuild cannot find its main by name', () => {
    const text = 'int main(void) { return 0; }';
    expect(createProject(runRequest({ 'a.b.c': text })).mistake).toContain('"a_b.c"');
    expect(createProject(runRequest({ 'a.b.c': 'int f;', 'a.c': text })).mistake).toBeUndefined();
  });

  it('has a mistake if it has files but no source', () => {
    expect(createProject(runRequest({ 'notes.txt': '' })).mistake).toContain('"notes.txt"');
    expect(createProject(runRequest({ 'cli.txt': '' })).mistake).toContain('no source file');
    expect(createProject(runRequest({})).mistake).toBeUndefined();
  });

  it('can be downloaded with any file names', () => {
    const files = filesOf({ 'Greet.adb': 'x', 'main.adb': '' });
    const project = createProject({ name: 'x', files });
    expect(project.files.slice(0, 2)).toEqual(files);
    expect(project.main?.file).toBe('main.adb');
  });

  it('is restricted unless the installation turns that off', () => {
    const adc = (restricted?: boolean) => {
      const project = createProject(runRequest({}), restricted === undefined ? {} : { restricted });
      return project.files[1]?.contents.includes('Restrictions');
    };
    expect([adc(), adc(true), adc(false)]).toEqual([true, true, false]);
    expect(createProject({ name: 'x', files: [] }, { restricted: false }).files[1]?.contents).not.toContain(
      'Restrictions',
    );
  });

  it('has the minimum switches if it asks for none or none is allowed', () => {
    const compiler = (switches?: string[]) =>
      /package Compiler is[^]*?end/.exec(
        createProject(runRequest({}, { ...(switches && { switches: { Compiler: switches } }) })).files[0]?.contents ??
          '',
      )?.[0];
    expect(compiler([])).toContain('for Switches ("Ada") use ("-g", "-O0");');
    expect(compiler(['-O3'])).toContain('for Switches ("Ada") use ("-g", "-O0");');
    expect(compiler()).not.toContain('for Switches');
  });

  it('has lab cases only with lab_io.txt', () => {
    const lab = createProject(
      runRequest({ 'a.adb': '', 'lab_io.txt': 'out 1: x\n', 'cli.txt': 'y' }, { mode: 'submit' }),
    );
    expect(lab.labCases).toEqual([{ key: '1', in: null, out: ' x', arguments: ['y'] }]);
    expect(lab.sources).toHaveLength(1);
    expect(createProject(runRequest({ 'a.adb': '' }, { mode: 'submit' })).labCases).toBeUndefined();
    expect(createProject(runRequest({ 'lab_io.txt': 'in 0 1\nout 0 a\n' }, { mode: 'submit' })).labCases).toEqual([]);
  });

  it('refuses a lab case with a very long key', () => {
    const lab = (digits: number) => () =>
      createProject(runRequest({ 'a.adb': '', 'lab_io.txt': `in ${'1'.repeat(digits)}: a\n` }, { mode: 'submit' }));
    expect(lab(20)).not.toThrow();
    expect(lab(21)).toThrow('more than 20 digits');
  });

  it('uses SPARK only in prove modes, and never in a download', () => {
    const spark = MODES.filter((mode) =>
      createProject(runRequest({}, { mode })).files[1]?.contents.includes('SPARK_Mode'),
    );
    expect(spark).toEqual(['prove', 'prove_flow', 'prove_flow_report_all', 'prove_report_all']);
    const download = createProject({ files: [], name: 'x' });
    expect(download.mode).toBeUndefined();
    expect(download.files[1]?.contents).not.toContain('SPARK_Mode');
  });

  it('keeps allowed switches and lists the dropped ones', () => {
    const { files, droppedSwitches } = createProject(
      runRequest({}, { switches: { Compiler: ['-O3', '-gnatwa'], X: ['-s'] } }),
    );
    expect(files[0]?.contents).toContain('for Switches ("Ada") use ("-gnatwa");');
    expect(droppedSwitches).toEqual(['Compiler -O3', 'X -s']);
  });

  it('may lack a main until it is run', () => {
    const project = createProject(runRequest({ 'first.adb': '', 'second.adb': '' }));
    expect(project.main).toBeUndefined();
    expect(project.files[2]?.contents).not.toContain('for Main');
  });

  it('is deeply frozen and shares nothing with the request', () => {
    const request = runRequest({ 'a.adb': 'x\n', 'cli.txt': '1', 'lab_io.txt': 'in 1: 1\n' });
    const project = createProject(request);
    request.files[0] = { basename: 'b.adb', contents: 'y' };
    expect(project.sources).toEqual(filesOf({ 'a.adb': 'x\n' }));
    const isFrozen = (value: unknown): boolean =>
      typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(isFrozen));
    expect(isFrozen(project)).toBe(true);
  });
});

describe('a request is refused with the position of its error, for', () => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}.txt`, '']));
  const cases = (count: number) => Array.from({ length: count }, (_, i) => `in ${i}: x\n`).join('');

  it.each<[string, RunProgramRequest, string, string]>([
    ['too many files', runRequest(many(101)), 'files', '100'],
    ['a long file', runRequest({ 'a.c': '', 'b.c': 'x'.repeat(50_001) }), 'files[1].contents', '50000'],
    ['a base name with a path', runRequest({ 'a.c': '', '../b.c': '' }), 'files[1].basename', '"/"'],
    ['a reserved file name', runRequest({ 'main.ali': '' }), 'files[0].basename', 'tools'],
    ['a file with the name of the executable', runRequest({ 'main.adb': '', main: '' }), 'files[1].basename', '"main"'],
    ['two main.adb', runRequest({ 'main.adb': '', 'domain.adb': '' }), 'main', 'domain.adb'],
    ['a missing main file', runRequest({ 'a.adb': '' }, { main: 'b.adb' }), 'main', 'names no file'],
    [
      'a main that is not a source',
      runRequest({ 'a.adb': '', 'cli.txt': '' }, { main: 'cli.txt' }),
      'main',
      'names no file',
    ],
    ['too many lab cases', runRequest({ 'lab_io.txt': cases(51) }), 'files[0].contents', '50'],
    ['a long project name', runRequest({}, { name: 'x'.repeat(513) }), 'name', '512'],
    ['a project name with a line break', runRequest({}, { name: 'a\r\nSet-Cookie: x' }), 'name', 'printable'],
    ['a lone surrogate in its name', runRequest({}, { name: '\ud83d' }), 'name', 'printable'],
    ['an argument with a NUL', runRequest({ 'cli.txt': 'a\0b' }), 'files[0].contents', 'NUL'],
    ['a lab argument with a NUL', runRequest({ 'lab_io.txt': 'in 1: \0' }), 'files[0].contents', 'NUL'],
    ['an argument too long for Linux', runRequest({ 'cli.txt': '😀'.repeat(32_768) }), 'files[0].contents', '131071'],
  ])('%s', (_, request, path, words) => {
    const { message, path: where } = refusalOf(request);
    expect(where).toBe(path);
    expect(message).toContain(words);
  });

  it('two files with the same name', () => {
    const [file] = filesOf({ 'a.adb': '' });
    expect(refusalOf({ files: [file, file].flatMap((each) => each ?? []), mode: 'run' }).path).toBe(
      'files[1].basename',
    );
  });

  it('no value within a limit', () => {
    expect(() => createProject(runRequest(many(100)))).not.toThrow();
    expect(() => createProject(runRequest({ 'lab_io.txt': cases(50) }, { name: '😀'.repeat(512) }))).not.toThrow();
    expect(() => createProject(runRequest({ 'a.c': '😀'.repeat(50_000) }))).not.toThrow();
  });

  it("values over the installation's own limits", () => {
    expect(() => createProject(runRequest(many(3)), { limits: { ...REQUEST_LIMITS, files: 2 } })).toThrow('2');
  });
});

describe('any request', () => {
  const name = fc.oneof(
    fc.constantFrom(
      'main.adb',
      'main',
      'cli.txt',
      'lab_io.txt',
      'main.gpr',
      'a.c',
      '..',
      '.adb',
      '"; end.adb',
      '__proto__',
    ),
    fc.string({ unit: anyCharacter }),
  );
  const text = fc.oneof(
    fc.string({ unit: anyCharacter }),
    fc
      .array(fc.constantFrom('int main(', 'void main()', '{', '\n', 'in 1:', 'out 1:', ' ', '\0', 'x', '\ud800'))
      .map((a) => a.join('')),
  );
  const request: fc.Arbitrary<RunProgramRequest> = fc.record(
    {
      files: fc.array(fc.record({ basename: name, contents: text }), { maxLength: 6 }),
      mode: fc.constantFrom(...MODES),
      main: name,
      switches: fc.dictionary(name, fc.array(fc.string())),
      name: fc.string({ unit: anyCharacter }),
    },
    { requiredKeys: ['files', 'mode'] },
  );

  it('becomes a project with plain names or is refused with a message', () => {
    fc.assert(
      fc.property(request, (each) => {
        let project;
        try {
          project = createProject(each);
        } catch (error) {
          return error instanceof ProjectError && error.message !== '' && error.path !== '';
        }
        const names = project.files.map(({ basename }) => basename);
        return new Set(names).size === names.length && !names.some((basename) => /[/\\\p{Cc}]/u.test(basename));
      }),
      { numRuns: 1000 },
    );
  });
});
