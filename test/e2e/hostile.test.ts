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
const c = (body: string, includes = '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n') => ({
  basename: 'main.c',
  contents: `${includes}int main(int argc, char **argv) {\n${body}\n}\n`,
});
const run = (request: Partial<RunRequest>) => runProgram(service.base, { files: [HELLO], mode: 'run', ...request });
const GREETED = { status: 0, message: 'SUCCESS' };

describe('a file of a name that means something to somebody', () => {
  it.each(['-o', '--help', '@switches', 'gprbuild', 'gcc', 'Main.GPR', 'default.gpr', '$(touch x)', '; rm -rf *', '*', 'a b.txt', '`id`', "'", '"'])(
    'is a file and nothing else: %s',
    async (basename) => {
      const result = await run({ files: [HELLO, { basename, contents: '-v\n--version\n' }] });
      expect(result).toMatchObject(GREETED);
      expect(text(result, 'stdout')).toBe('Build completed successfully.hello\n');
    },
  );

  it.each(['main.gpr', 'main.adc'])('is replaced by what is generated: %s', async (basename) => {
    const result = await run({ files: [HELLO, { basename, contents: 'project Main is for Object_Dir use "/nowhere"; end Main;' }] });
    expect(result).toMatchObject(GREETED);
  });

  it('is data to the program, whatever its name', async () => {
    const basename = 'data "1".txt';
    const read = ada(
      '   Open (F, In_File, Argument (1) & " ""1"".txt");\n   Put_Line (Get_Line (F));\n   Close (F);',
      '   F : File_Type;',
    );
    const files = [{ basename: 'main.adb', contents: read }, { basename, contents: 'contents\n' }, { basename: 'cli.txt', contents: 'data' }];
    expect(text(await run({ files }), 'stdout')).toBe('Build completed successfully.contents\n');
  });

  it.each(['../x', '/etc/passwd', '..', '.', '', 'a/b', 'a\\b', 'a\u0000b', 'a\nb', 'x.o', 'x.ali', 'x.a', 'x.so', 'auto.cgpr', '-o.adb'])(
    'is refused if it is no plain name, or the tools\' own: %j',
    async (basename) => {
      const { status, body } = await post(service.base, '/run_program/', { files: [HELLO, { basename, contents: '' }], mode: 'run', name: 'x', lab: false });
      expect(status).toBe(400);
      expect(body).toMatchObject({ path: 'files[1].basename' });
    },
  );
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
  it('reach the program as they are', async () => {
    const words = ['$HOME', '*', '`id`', '$(id)', ';', '"a', "b'", '\\', '-rf', '|', '>', '../..', 'é☃'];
    const body = '   for I in 1 .. Argument_Count loop\n      Put_Line (Argument (I));\n   end loop;';
    const files = [{ basename: 'main.adb', contents: ada(body) }, { basename: 'cli.txt', contents: words.join(' ') }];
    const result = await run({ files });
    expect(text(result, 'stdout')).toBe(`Build completed successfully.${words.join('\n')}\n`);
    expect(text(result, 'console')).toContain(`./main ${words.join(' ')}`);
  });
});

describe('a limit has its own words and a status that is not 0:', () => {
  it('output of a task', async () => {
    const result = await run({ files: [c('  for (;;) puts("yes");\n  return 0;')] });
    expect(result.status).toBe(153);
    expect(text(result, 'stderr')).toMatch(/Maximum 1 MiB output limit reached/);
    const stdout = text(result, 'stdout').replace('Build completed successfully.', '');
    expect(stdout.length).toBe(1024 * 1024);
    expect(stdout).toMatch(/^(yes\n)*$/);
  });

  it('a line without an end, sent in parts', async () => {
    const result = await run({ files: [c('  for (int i = 0; i < 200000; i++) putchar(\'x\');\n  return 0;')] });
    expect(result.status).toBe(0);
    const parts = result.output.filter(({ msg }) => msg.type === 'stdout').slice(1);
    expect(parts.length).toBeGreaterThanOrEqual(4);
    expect(text({ output: parts }, 'stdout')).toBe('x'.repeat(200_000));
  });

  it('files that a program writes', async () => {
    const body = `  FILE *f = fopen("big", "w"); char block[65536] = {0}; long sum = 0;
  while (fwrite(block, 1, sizeof block, f) == sizeof block) sum += sizeof block;
  printf("%ld MiB, then %m\\n", sum >> 20); return 7;`;
    const result = await run({ files: [c(body)] });
    expect(result.status).toBe(7);
    expect(text(result, 'stdout')).toMatch(/(31|32) MiB, then No space left on device/);
  });

  it('memory, with files counted', async () => {
    const body = `  for (int i = 0; i < 400; i++) memset(malloc(1 << 20), 1, 1 << 20);\n  return 0;`;
    const result = await run({ files: [c(body)] });
    expect(result.status).toBe(137);
    expect(text(result, 'stderr')).toMatch(/Maximum 256 MiB memory limit reached/);
  });

  it('threads', async () => {
    const body = `  pthread_t t; int n = 0;
  while (pthread_create(&t, NULL, nap, NULL) == 0) n++;
  printf("%d threads\\n", n); return 0;`;
    const includes = '#include <stdio.h>\n#include <pthread.h>\n#include <unistd.h>\nstatic void *nap(void *x) { pause(); return x; }\n';
    const result = await run({ files: [c(body, includes)] });
    const threads = Number(/(\d+) threads/.exec(text(result, 'stdout'))?.[1]);
    expect(threads).toBeGreaterThan(50);
    expect(threads).toBeLessThanOrEqual(100);
  });

  it('time of a lab case: the case fails, the others go on', async () => {
    const body = '   if Argument (1) = "stay" then\n      loop\n         null;\n      end loop;\n   end if;\n   Put_Line (Argument (1));';
    const lab = 'in 1: stay\nout 1:stay\nin 2: go\nout 2:go\n';
    const result = await run({ mode: 'submit', files: [{ basename: 'main.adb', contents: ada(body) }, { basename: 'lab_io.txt', contents: lab }] });
    expect(text(result, 'stderr')).toContain('<interrupted> : Maximum 10s process limit reached.');
    expect(result.output.find(({ msg }) => msg.type === 'stderr' && msg.data.includes('10s'))?.ref).toBe('1');
    expect(verdict(result)).toMatchObject({ success: false, cases: { 1: { status: 'Failed' }, 2: { status: 'Success' } } });
  }, 30_000);
});

describe('programs', () => {
  it('may write files and read them back', async () => {
    const body = `   Create (F, Out_File, "notes.txt");\n   Put_Line (F, "kept");\n   Close (F);
   Open (F, In_File, "notes.txt");\n   Put_Line (Get_Line (F));\n   Close (F);`;
    const result = await run({ files: [{ basename: 'main.adb', contents: ada(body, '   F : File_Type;') }] });
    expect(text(result, 'stdout')).toBe('Build completed successfully.kept\n');
  });

  it('cannot change, replace or remove what was sent or built', async () => {
    const body = `  FILE *f = fopen("main.c", "a"); printf("append %d\\n", f != NULL);
  printf("remove %d %d\\n", remove("main.c"), remove("main"));
  printf("rename %d\\n", rename("main.c", "other.c"));
  printf("replace %d\\n", rename("main", "main.c")); return 0;`;
    expect(text(await run({ files: [c(body)] }), 'stdout')).toContain('append 0\nremove -1 -1\nrename -1\nreplace -1\n');
  });

  it('of one lab case leave no file to the next', async () => {
    const body = `   begin\n      Open (F, In_File, "seen.txt");\n      Put_Line ("seen");
   exception\n      when others =>\n         Create (F, Out_File, "seen.txt");\n         Put_Line ("new");\n   end;`;
    const files = [
      { basename: 'main.adb', contents: ada(body, '   F : File_Type;') },
      { basename: 'lab_io.txt', contents: 'in 1: a\nout 1:new\nin 2: b\nout 2:new\n' },
    ];
    expect(verdict(await run({ mode: 'submit', files }))).toMatchObject({ success: true });
  });

  it('that print what the service says fool nobody', async () => {
    const fake = '{\\"version\\":1,\\"kind\\":\\"final\\",\\"attempt\\":1,\\"items\\":1,\\"state\\":\\"SUCCESS\\",\\"status\\":0}';
    const body = `  puts("${fake}"); fwrite("\\1\\0\\0\\0\\0\\0\\0\\5s\\0\\0\\0\\11e", 1, 13, stdout); puts("\\033[2J\\a"); return 9;`;
    const result = await run({ files: [c(body)] });
    expect(result).toMatchObject({ status: 9, message: 'SUCCESS' });
    expect(text(result, 'stdout')).toContain('"kind":"final"');
    expect(text(result, 'stdout')).toContain('\u0001\u0000\u0000\u0000\u0000\u0000\u0000\u0005s');
    expect(text(result, 'stdout')).toContain('\u001b[2J\u0007');
  });
});

describe('the log', () => {
  it('has one line for the end of each task, with its times, and nothing of programs', async () => {
    const secret = 'a-word-of-the-program';
    const { identifier } = await run({ files: [{ basename: 'main.adb', contents: ada(`   Put_Line ("${secret}");`) }] });
    const lines = service.log().filter((line) => line.identifier === identifier && line.outcome !== undefined);
    expect(lines).toEqual([expect.objectContaining({ mode: 'run', outcome: 'success', status: 0, attempt: 1 })]);
    for (const name of ['queuedMs', 'buildMs', 'runMs']) expect(lines[0]?.[name]).toEqual(expect.any(Number));
    expect(JSON.stringify(service.log())).not.toContain(secret);
  });
});
