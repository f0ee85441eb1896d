import { describe, expect, it } from '@jest/globals';
import { buffer } from 'node:stream/consumers';
import { validateHeaderValue } from 'node:http';
import fc from 'fast-check';

import { unzip } from '../../../test/helpers/unzip.js';
import { archiveProject, contentDisposition, createProject, ProjectError } from '../src/project.js';
import { filesOf } from './requests.js';

const zipped = async (contents: Readonly<Record<string, string>>) =>
  unzip(await buffer(archiveProject({ files: filesOf(contents) })));

describe('the zip', () => {
  it('contains the files deflated and in order', async () => {
    const contents = { 'b.adb': 'x'.repeat(50_000), 'a.txt': 'héllo ☃\r\n' };
    const entries = await zipped(contents);
    expect(entries.map(({ name, content }) => [name, content.toString()])).toEqual(Object.entries(contents));
    expect(entries.every(({ deflated }) => deflated)).toBe(true);
  });

  it('may contain an empty file', async () => {
    expect(await zipped({ 'empty.c': '' })).toMatchObject([{ name: 'empty.c', content: Buffer.alloc(0) }]);
  });

  it('marks names as UTF-8 if needed', async () => {
    const [entry] = await zipped({ 'été ☃.adb': '' });
    expect(entry).toMatchObject({ name: 'été ☃.adb', utf8: true });
  });

  it('preserves every valid file name', async () => {
    const names = fc.uniqueArray(
      fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('C:x.adb', 'a\\b', '...', '.x')),
      {
        maxLength: 5,
      },
    );
    await fc.assert(
      fc.asyncProperty(names, async (basenames) => {
        let project;
        try {
          project = createProject({ name: 'x', files: basenames.map((basename) => ({ basename, contents: '' })) });
        } catch (error) {
          return expect(error).toBeInstanceOf(ProjectError);
        }
        const entries = unzip(await buffer(archiveProject(project)));
        expect(entries.map(({ name }) => name)).toEqual(project.files.map(({ basename }) => basename));
      }),
    );
  });
});

describe('the name of a download', () => {
  it.each([
    ['Hello_World', 'attachment; filename=Hello_World.zip'],
    ['Lab.Adder', 'attachment; filename=Lab.Adder.zip'],
    ['My first program', 'attachment; filename="My first program.zip"'],
    ['a "b"; c', 'attachment; filename="a \\"b\\"; c.zip"'],
    ['back\\slash', 'attachment; filename="back\\\\slash.zip"'],
    ['Café', 'attachment; filename="Café.zip"'],
    ['', 'attachment; filename=.zip'],
  ])('%j is sent unchanged, quoted if needed', (name, header) => {
    expect(contentDisposition(name)).toBe(header);
  });

  it.each([
    ['Café ☃', 'attachment; filename*=UTF-8\'\'Caf%C3%A9%20%E2%98%83.zip; filename="Café _.zip"'],
    ['😀', "attachment; filename*=UTF-8''%F0%9F%98%80.zip; filename=_.zip"],
    ["☃'(*)", "attachment; filename*=UTF-8''%E2%98%83%27%28%2A%29.zip; filename=\"_'(*).zip\""],
  ])("%j beyond Latin-1 is sent twice, with the frontend's form last", (name, header) => {
    expect(contentDisposition(name)).toBe(header);
  });

  it('cannot end the header or start a parameter', () => {
    const unit = fc.oneof(fc.constantFrom('\r', '\n', '\0', '"', '\\', ';', '\x85', '\ud800', '☃', ' '), fc.string());
    fc.assert(
      fc.property(fc.string({ unit }), (name) => {
        const header = contentDisposition(name);
        expect(() => validateHeaderValue('content-disposition', header)).not.toThrow();
        expect(header).toMatch(
          /^attachment; (?:filename\*=UTF-8''[\w!#$&+.^`|~%-]+; )?filename=(?:[\w!#$%&'*+.^`|~-]+|"(?:[^"\\]|\\["\\])*")$/,
        );
      }),
    );
  });
});
