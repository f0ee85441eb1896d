/** What a program may do with files, and what a build may return. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { byteLength } from '../../packages/sandbox/src/byte-pieces.js';
import { EXECUTABLE_BYTES } from '../../packages/sandbox/src/limits.js';
import { buildAndRun, collect, containers, profiles, run, sandbox, shell } from './sandbox-harness.js';

jest.setTimeout(60_000);

beforeAll(() => sandbox.check());
afterAll(async () => {
  await sandbox.close();
  expect(await containers()).toEqual([]);
});

describe('the files of a program', () => {
  it('can be created and removed, except those that were sent', async () => {
    const end = await buildAndRun(
      'main.c',
      `#define _GNU_SOURCE
       #include <errno.h>
       #include <fcntl.h>
       #include <stdio.h>
       #include <string.h>
       #include <sys/stat.h>
       #include <unistd.h>
       static int left;
       static void refused(const char *what, int result) { if (result >= 0 && ++left) printf("%s\\n", what); }
       int main(void) {
         char text[6] = "";
         int own = open("own", O_RDWR | O_CREAT, 0600);
         write(own, "mine!", 5); lseek(own, 0, SEEK_SET); read(own, text, 5); close(own);
         int made = rename("own", "own2") == 0 && mkdir("folder", 0700) == 0 && access("/tmp", W_OK) == 0;
         const char *given[] = {"main.c", "main.gpr", "main"};
         for (int i = 0; i < 3; i++) {
           refused("write", open(given[i], O_WRONLY)); refused("truncate", truncate(given[i], 0));
           refused("rename", rename(given[i], "x")); refused("replace", rename("own2", given[i]));
           refused("remove", unlink(given[i])); refused("chmod", chmod(given[i], 0777));
           refused("swap", renameat2(AT_FDCWD, given[i], AT_FDCWD, "own2", RENAME_EXCHANGE));
         }
         refused("rename folder", rename("/workspace/sessions", "/workspace/x")); refused("replace folder", rmdir("/workspace/tmp"));
         refused("chmod folder", chmod(".", 0777)); refused("beside", open("/workspace/x", O_WRONLY | O_CREAT, 0600));
         refused("launcher", access("/usr/libexec/code-widgets/launcher", X_OK));
         printf("%s %d %d %d\\n", text, made, unlink("own2"), left);
       }`,
    );
    expect(end.stdout).toBe('mine! 1 0 0\n');
  });

  it('are limited to 32 MiB in total', async () => {
    const end = await buildAndRun(
      'main.c',
      `#define _GNU_SOURCE
       #include <errno.h>
       #include <fcntl.h>
       #include <stdio.h>
       #include <string.h>
       #include <unistd.h>
       int main(void) {
         static char block[1 << 16];
         const char *names[] = {"a", "/tmp/b"};
         long sum = 0;
         for (int i = 0; i < 2; i++) {
           int file = open(names[i], O_WRONLY | O_CREAT, 0600);
           for (long n; sum < (i ? 1 << 30 : 16 << 20) && (n = write(file, block, sizeof block)) > 0;) sum += n;
         }
         printf("%ld %s\\n", sum, strerrorname_np(errno));
       }`,
    );
    expect(end.stdout).toBe(`${32 << 20} ENOSPC\n`);
  });
});

describe('the executable that a build returns', () => {
  it.each([
    ['a link to another file', 'ln -s /etc/passwd main'],
    ['a link to a sibling file', 'cp /bin/true x; ln -s x main'],
    ['a pipe', 'mkfifo main'],
    ['a folder', 'mkdir main'],
    ['a device', 'ln -s /dev/zero main'],
    ['larger than the limit', `head -c ${EXECUTABLE_BYTES + 1} /dev/zero > main`],
    ['missing', 'true'],
  ])('is refused when it is %s', async (_, line) => {
    const end = await shell(`${line} || true`, 'main');
    expect(end.status).toBe(0);
    expect(end.copiedOut).toBeUndefined();
  });

  it('is returned completely', async () => {
    const end = await shell('head -c 5000000 /dev/zero | tr "\\0" x > main', 'main');
    expect(Buffer.concat(end.copiedOut ?? []).equals(Buffer.alloc(5_000_000, 'x'))).toBe(true);
  });

  it('may have the maximum size, and can then be run', async () => {
    const { copiedOut: executable = [] } = await shell(`head -c ${EXECUTABLE_BYTES} /dev/zero > main`, 'main');
    expect(byteLength(executable)).toBe(EXECUTABLE_BYTES);
    const end = await run({ executable, files: [] });
    expect(end.status).toBe(126);
  });

  it('fails to start if it is not a program', async () => {
    const end = await run({ executable: [Buffer.from('no program')], files: [] });
    expect(end).toMatchObject({ status: 126, stderr: './main: Exec format error\n' });
  });
});

describe('the files of a build', () => {
  it('may have names that look like options', async () => {
    const files = [
      { basename: '-o', contents: 'a' },
      { basename: '--help', contents: 'b' },
      { basename: 'é ü', contents: 'c' },
    ];
    const argv = ['sh', '-c', 'pwd; cat -- -o --help "é ü"; ls | wc -l'];
    const end = await collect(sandbox, { profile: profiles.build, argv, files });
    expect(end.stdout).toBe('/workspace/sessions\nabc3\n');
  });

  it.each([
    ['few', 1],
    ['many', 40],
  ])('leave 128 MiB of free space, with %s of them', async (_, count) => {
    const files = Array.from({ length: count }, (_, i) => ({ basename: `a${i}`, contents: 'x'.repeat(50_000) }));
    const line = 'head -c 200M /dev/zero > b; stat -c %s b';
    const end = await collect(sandbox, { profile: profiles.build, argv: ['sh', '-c', line], files });
    expect(end).toMatchObject({
      stdout: `${profiles.build.writableBytes}\n`,
      stderr: expect.stringContaining('No space left'),
    });
  });
});
