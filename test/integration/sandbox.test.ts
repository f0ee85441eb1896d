import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { SandboxUnavailable } from '../../packages/sandbox/src/sandbox.js';
import { eventually } from '../helpers/eventually.js';
import {
  build,
  buildAndRun,
  collect,
  containers,
  docker,
  profiles,
  run,
  sandbox,
  shell,
  shellJob,
  type Program,
} from './sandbox-harness.js';

jest.setTimeout(60_000);

beforeAll(() => sandbox.check());
afterAll(async () => {
  await sandbox.close();
  expect(await containers()).toEqual([]);
});

describe('hello world runs', () => {
  it.each([
    ['main.adb', 'with Ada.Text_IO; procedure Main is begin Ada.Text_IO.Put_Line ("Hello"); end Main;'],
    ['main.c', '#include <stdio.h>\nint main(void) { puts("Hello"); }'],
    ['main.cpp', '#include <iostream>\nint main() { std::cout << "Hello" << std::endl; }'],
  ])('from %s', async (basename, contents) => {
    expect(await buildAndRun(basename, contents)).toMatchObject({ status: 0, stdout: 'Hello\n', stderr: '' });
  });
});

describe('a failed build', () => {
  it('returns its messages, its status and no executable', async () => {
    const files = [{ basename: 'main.c', contents: 'int main(' }];
    const end = await collect(sandbox, {
      profile: profiles.build,
      argv: ['gcc', 'main.c', '-o', 'main'],
      files,
      copyOut: 'main',
    });
    expect(end.status).toBe(1);
    expect(end.stderr).toContain('main.c:1');
    expect(end.copiedOut).toBeUndefined();
  });

  it('reports a missing command', async () => {
    const end = await collect(sandbox, { profile: profiles.prove, argv: ['no-such-command'], files: [] });
    expect(end).toMatchObject({ status: 127, commandMissing: true, stdout: '', stderr: '' });
  });
});

describe('the run of a program', () => {
  let program: Program;

  beforeAll(async () => {
    program = await build(
      'main.c',
      `#include <stdio.h>
       #include <stdlib.h>
       #include <string.h>
       #include <unistd.h>
       int main(int argc, char **argv) {
         const char *what = argc > 1 ? argv[1] : "";
         if (!strcmp(what, "words")) for (int i = 0; i < argc; i++) printf("<%s>", argv[i]);
         if (!strcmp(what, "stream")) { write(1, "first", 5); usleep(500000); write(1, "second", 6); }
         if (!strcmp(what, "exit")) return atoi(argv[2]);
         if (!strcmp(what, "abort")) abort();
         if (!strcmp(what, "null")) *(volatile int *)0 = 1;
         if (!strcmp(what, "loop")) for (;;) continue;
         if (!strcmp(what, "babble")) for (;;) write(1, "0123456789", 10);
         if (!strcmp(what, "eat")) for (;;) memset(malloc(1 << 20), 1, 1 << 20);
         if (!strcmp(what, "close")) { close(1); close(2); usleep(100000); return 7; }
         if (!strcmp(what, "env")) { extern char **environ; for (char **e = environ; *e; e++) puts(*e); }
         if (!strcmp(what, "bytes")) for (int i = 0; i < 256; i++) putchar(i);
         if (!strcmp(what, "fake")) {
           fwrite("s\\0\\0\\0\\x09" "e\\0\\0\\0\\0\\0\\0\\0\\0", 1, 14, stdout);
           fwrite("\\1\\0\\0\\0\\0\\0\\0\\x0e" "s\\0\\0\\0\\x09" "e\\0\\0\\0\\0\\0\\0\\0\\0", 1, 22, stdout);
           return 3;
         }
       }`,
    );
  });

  it('streams output while it runs', async () => {
    const seen: [string, number][] = [];
    const onOutput = (_: string, bytes: Buffer) => seen.push([bytes.toString(), performance.now()]);
    await run(program, ['stream'], { onOutput });
    expect(seen.map(([text]) => text)).toEqual(['first', 'second']);
    expect((seen[1]?.[1] ?? 0) - (seen[0]?.[1] ?? 0)).toBeGreaterThan(300);
  });

  it('passes output byte for byte', async () => {
    const { stdout } = await run(program, ['bytes']);
    expect([...stdout].map((char) => char.charCodeAt(0))).toEqual(Array.from({ length: 256 }, (_, i) => i));
  });

  it('passes each argument unchanged', async () => {
    const { stdout } = await run(program, ['words', '', '*', '$HOME', '"a b"', '-o', ';ls']);
    expect(stdout).toBe('<./main><words><><*><$HOME><"a b"><-o><;ls>');
  });

  it.each([
    ['exit', '42', 42],
    ['exit', '255', 255],
    ['abort', '', 128 + 6],
    ['null', '', 128 + 11],
    ['close', '', 7],
  ])('has the expected status: %s %s', async (what, word, status) => {
    const end = await run(program, [what, word]);
    expect(end.status).toBe(status);
    expect(end.limit).toBeUndefined();
  });

  it('ends at its time limit', async () => {
    const end = await run(program, ['loop'], { timeMs: 500 });
    expect(end).toMatchObject({ status: 124, limit: 'time' });
    expect(end.ms).toBeGreaterThanOrEqual(500);
    expect(end.ms).toBeLessThan(1000);
  });

  it('ends at its output limit, to the byte', async () => {
    const end = await run(program, ['babble'], { outputBytes: 12_345 });
    expect(end).toMatchObject({ status: 153, limit: 'output' });
    expect(end.stdout).toHaveLength(12_345);
  });

  it('ends at its memory limit', async () => {
    expect(await run(program, ['eat'])).toMatchObject({ status: 137, limit: 'memory' });
  });

  it('treats forged frames of Docker or the launcher as data', async () => {
    const end = await run(program, ['fake']);
    expect(end.status).toBe(3);
    expect(end.stdout).toHaveLength(36);
  });

  it('has no environment variables of the image or the worker', async () => {
    const { stdout } = await run(program, ['env']);
    const names = stdout
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]);
    expect(names.sort()).toEqual(['HOME', 'LANG', 'LD_PRELOAD', 'PATH', 'TMPDIR']);
  });

  it('ends when its task is aborted', async () => {
    const controller = new AbortController();
    const onOutput = () => controller.abort(new Error('enough'));
    await expect(run(program, ['babble'], { onOutput, signal: controller.signal })).rejects.toThrow('enough');
  });

  it('fails as a service error when its container is killed from outside', async () => {
    const kill = async () => {
      for (const { Id } of await containers())
        await docker
          .getContainer(Id)
          .kill()
          .catch(() => undefined);
    };
    let killing: Promise<void> | undefined;
    const onOutput = () => {
      killing ??= kill();
    };
    await expect(run(program, ['stream'], { onOutput })).rejects.toThrow(SandboxUnavailable);
    await killing;
  });
});

describe('a container whose step has ended', () => {
  const noneIsLeft = async () => (await containers()).length === 0;

  /** Container states right after a step and later, while another container runs. */
  async function statesAfter(script: string) {
    await eventually('no container is left', noneIsLeft);
    const other = shell('sleep 4');
    await eventually('the other container runs', async () =>
      (await containers()).some(({ State }) => State === 'running'),
    );
    const [otherOne] = await containers();
    expect(await shell(script)).toMatchObject({ status: 0 });
    const own = (await containers()).find(({ Id }) => Id !== otherOne?.Id);
    await delay(500);
    const later = (await containers()).find(({ Id }) => Id === own?.Id);
    await other;
    await eventually('no container is left', noneIsLeft);
    return [own?.State, later?.State];
  }

  it('is removed once no other container runs', async () => {
    expect(await statesAfter('true')).toEqual(['running', 'running']);
  });

  it('stops at once if processes of the command are left', async () => {
    const [, later] = await statesAfter('setsid sleep 300 &');
    expect(later).toBe('exited');
  });
});

describe('the memory limit is reported even if a child process was killed', () => {
  it('in a build', async () => {
    expect(await shell('tail /dev/zero; exit 1')).toMatchObject({ status: 137, limit: 'memory' });
  });

  it('in a proof, which has more memory', async () => {
    const line = 'head -c 300M /dev/zero | tail | wc -c; tail /dev/zero; exit 1';
    const end = await collect(sandbox, shellJob(line, undefined, profiles.prove));
    expect(end).toMatchObject({ status: 137, limit: 'memory', stdout: `${300 << 20}\n` });
  });
});

describe('the run-time library', () => {
  it('supports Ada tasks, delays, exceptions, the clock, folders and files', async () => {
    const end = await buildAndRun(
      'main.adb',
      `with Ada.Calendar; with Ada.Directories; with Ada.Exceptions; with Ada.Text_IO; use Ada.Text_IO;
       procedure Main is
          use type Ada.Calendar.Time;
          Start : constant Ada.Calendar.Time := Ada.Calendar.Clock;
          File  : File_Type;
          task type Worker is entry Stop (N : out Integer); end Worker;
          task body Worker is begin delay 0.02; accept Stop (N : out Integer) do N := 1; end Stop; end Worker;
          Workers : array (1 .. 10) of Worker; Sum, N : Integer := 0;
       begin
          for W of Workers loop W.Stop (N); Sum := Sum + N; end loop;
          Put_Line ("tasks" & Sum'Image & " " & Boolean'Image (Ada.Calendar.Clock - Start > 0.01));
          Ada.Directories.Create_Directory ("folder");
          Create (File, Out_File, "folder/file"); Put_Line (File, "written"); Close (File);
          Open (File, In_File, "folder/file"); Put_Line (Get_Line (File)); Close (File);
          Ada.Directories.Delete_Tree ("folder");
          raise Program_Error with "message";
       exception when E : others => Put_Line (Ada.Exceptions.Exception_Information (E)); raise Constraint_Error;
       end Main;`,
    );
    expect(end.status).toBe(1);
    expect(end.stdout).toContain('tasks 10 TRUE\nwritten\nraised PROGRAM_ERROR : message\n');
    expect(end.stderr).toContain('raised CONSTRAINT_ERROR');
  });

  it('supports C++ threads and exceptions', async () => {
    const end = await buildAndRun(
      'main.cpp',
      `#include <iostream>
       #include <stdexcept>
       #include <thread>
       int main() {
         int sum = 0;
         std::thread thread([&] { try { throw std::runtime_error("x"); } catch (std::exception &) { sum = 42; } });
         thread.join();
         std::cout << sum << std::endl;
       }`,
    );
    expect(end).toMatchObject({ status: 0, stdout: '42\n' });
  });
});
