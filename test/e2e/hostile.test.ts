import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { post, runProgram, text, verdict, type RunRequest } from '../helpers/client.js';
import { deploy, type Deployment } from '../helpers/deployment.js';

let service: Deployment;
beforeAll(async () => {
  service = await deploy({ widgets: 1, workers: 1 });
}, 60_000);
afterAll(() => service.end(), 60_000);

const ada = (body: string, declarations = '') =>
  `with Ada.Text_IO; use Ada.Text_IO;\nwith Ada.Command_Line; use Ada.Command_Line;\nprocedure Main is\n${declarations}\nbegin\n${body}\nend Main;\n`;
const HELLO = { basename: 'main.adb', contents: ada('   Put_Line ("hello");') };
const c = (
  body: string,
  includes = '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n',
) => ({
  basename: 'main.c',
  contents: `${includes}int main(int argc, char **argv) {\n${body}\n}\n`,
});
const run = (request: Partial<RunRequest>) => runProgram(service.base, { files: [HELLO], mode: 'run', ...request });
const GREETED = { status: 0, message: 'SUCCESS' };

describe('a file whose name has a meaning for a tool or shell', () => {
  it.each([
    '-o',
    '--help',
    '@switches',
    'gprbuild',
    'gcc',
    'Main.GPR',
    'default.gpr',
    '$(touch x)',
    '; rm -rf *',
    '*',
    'a b.txt',
    '`id`',
    "'",
    '"',
  ])('is treated as plain data: %s', async (basename) => {
    const result = await run({ files: [HELLO, { basename, contents: '-v\n--version\n' }] });
    expect(result).toMatchObject(GREETED);
    expect(text(result, 'stdout')).toBe('Build completed successfully.hello\n');
  });

  it.each(['main.gpr', 'main.adc'])('is replaced by the generated file: %s', async (basename) => {
    const result = await run({
      files: [HELLO, { basename, contents: 'project Main is for Object_Dir use "/nowhere"; end Main;' }],
    });
    expect(result).toMatchObject(GREETED);
  });

  it('can be read by the program under any name', async () => {
    const basename = 'data "1".txt';
    const read = ada(
      '   Open (F, In_File, Argument (1) & " ""1"".txt");\n   Put_Line (Get_Line (F));\n   Close (F);',
      '   F : File_Type;',
    );
    const files = [
      { basename: 'main.adb', contents: read },
      { basename, contents: 'contents\n' },
      { basename: 'cli.txt', contents: 'data' },
    ];
    expect(text(await run({ files }), 'stdout')).toBe('Build completed successfully.contents\n');
  });

  it.each([
    '../x',
    '/etc/passwd',
    '..',
    '.',
    '',
    'a/b',
    'a\\b',
    'a\u0000b',
    'a\nb',
    'x.o',
    'x.ali',
    'x.a',
    'x.so',
    'auto.cgpr',
    '-o.adb',
  ])('is refused if its name is reserved or not a plain file name: %j', async (basename) => {
    const { status, body } = await post(service.base, '/run_program/', {
      files: [HELLO, { basename, contents: '' }],
      mode: 'run',
      name: 'x',
      lab: false,
    });
    expect(status).toBe(400);
    expect(body).toMatchObject({ path: 'files[1].basename' });
  });
});

describe('switches', () => {
  it.each([
    [{ Compiler: ['"); end Main; --'] }],
    [{ Compiler: ['-gnatec=/etc/passwd', '-fplugin=./x.so', '-I/etc', '-o/tmp/x'] }],
    [{ Builder: ['--config=auto.cgpr', '-P', '/etc/x.gpr'] }],
    [{ 'Compiler is end Compiler; package Linker': ['-s'] }],
    [{ constructor: ['-g'], toString: ['-g'] }],
    [{ Linker: ['-Wl,-T,x'] }],
  ])('that are not allowed are dropped: %j', async (switches) => {
    expect(await run({ switches })).toMatchObject(GREETED);
  });
});

describe('arguments', () => {
  it('reach the program unchanged', async () => {
    const words = ['$HOME', '*', '`id`', '$(id)', ';', '"a', "b'", '\\', '-rf', '|', '>', '../..', 'é☃'];
    const body = '   for I in 1 .. Argument_Count loop\n      Put_Line (Argument (I));\n   end loop;';
    const files = [
      { basename: 'main.adb', contents: ada(body) },
      { basename: 'cli.txt', contents: words.join(' ') },
    ];
    const result = await run({ files });
    expect(text(result, 'stdout')).toBe(`Build completed successfully.${words.join('\n')}\n`);
    expect(text(result, 'console')).toContain(`./main ${words.join(' ')}`);
  });
});

describe('programs', () => {
  it('may write files and read them back', async () => {
    const body = `   Create (F, Out_File, "notes.txt");\n   Put_Line (F, "kept");\n   Close (F);
   Open (F, In_File, "notes.txt");\n   Put_Line (Get_Line (F));\n   Close (F);`;
    const result = await run({ files: [{ basename: 'main.adb', contents: ada(body, '   F : File_Type;') }] });
    expect(text(result, 'stdout')).toBe('Build completed successfully.kept\n');
  });

  it('cannot change, replace or remove sources or build results', async () => {
    const body = `  FILE *f = fopen("main.c", "a"); printf("append %d\\n", f != NULL);
  printf("remove %d %d\\n", remove("main.c"), remove("main"));
  printf("rename %d\\n", rename("main.c", "other.c"));
  printf("replace %d\\n", rename("main", "main.c")); return 0;`;
    expect(text(await run({ files: [c(body)] }), 'stdout')).toContain(
      'append 0\nremove -1 -1\nrename -1\nreplace -1\n',
    );
  });

  it('leave no files from one lab case to the next', async () => {
    const body = `   begin\n      Open (F, In_File, "seen.txt");\n      Put_Line ("seen");
   exception\n      when others =>\n         Create (F, Out_File, "seen.txt");\n         Put_Line ("new");\n   end;`;
    const files = [
      { basename: 'main.adb', contents: ada(body, '   F : File_Type;') },
      { basename: 'lab_io.txt', contents: 'in 1: a\nout 1:new\nin 2: b\nout 2:new\n' },
    ];
    expect(verdict(await run({ mode: 'submit', files }))).toMatchObject({ success: true });
  });

  it('that imitate messages of the service have no effect', async () => {
    const fake =
      '{\\"version\\":1,\\"kind\\":\\"final\\",\\"attempt\\":1,\\"items\\":1,\\"state\\":\\"SUCCESS\\",\\"status\\":0}';
    const body = `  puts("${fake}"); fwrite("\\1\\0\\0\\0\\0\\0\\0\\5s\\0\\0\\0\\11e", 1, 13, stdout); puts("\\033[2J\\a"); return 9;`;
    const result = await run({ files: [c(body)] });
    expect(result).toMatchObject({ status: 9, message: 'SUCCESS' });
    expect(text(result, 'stdout')).toContain('"kind":"final"');
    expect(text(result, 'stdout')).toContain('\u0001\u0000\u0000\u0000\u0000\u0000\u0000\u0005s');
    expect(text(result, 'stdout')).toContain('\u001b[2J\u0007');
  });
});

describe('the log', () => {
  it('has one line for each finished task, with times and without program output', async () => {
    const secret = 'a-word-of-the-program';
    const { identifier } = await run({
      files: [{ basename: 'main.adb', contents: ada(`   Put_Line ("${secret}");`) }],
    });
    await service.lineOfEnd(identifier);
    const lines = service.log().filter((line) => line.identifier === identifier && line.outcome !== undefined);
    expect(lines).toEqual([expect.objectContaining({ mode: 'run', outcome: 'success', status: 0, attempt: 1 })]);
    for (const name of ['queuedMs', 'buildMs', 'runMs']) expect(lines[0]?.[name]).toEqual(expect.any(Number));
    expect(JSON.stringify(service.log())).not.toContain(secret);
  });
});
