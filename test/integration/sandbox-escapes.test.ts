/** Attempts of a hostile program to escape; every escape found so far stays here. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { build, buildAndRun, containers, gvisor, run, sandbox, shell, type Program } from './sandbox-harness.js';

jest.setTimeout(60_000);

beforeAll(() => sandbox.check());
afterAll(async () => {
  await sandbox.close();
  expect(await containers()).toEqual([]);
});

describe('starting a process through the C library ends the program with an explanation', () => {
  let program: Program;

  beforeAll(async () => {
    program = await build(
      'main.c',
      `#define _GNU_SOURCE
       #include <sched.h>
       #include <spawn.h>
       #include <stdio.h>
       #include <stdlib.h>
       #include <string.h>
       #include <unistd.h>
       extern char **environ;
       static char *words[] = {"./main", NULL};
       static int nothing(void *argument) { return argument != NULL; }
       #define ON(name, call) if (!strcmp(what, name)) { call; }
       int main(int argc, char **argv) {
         const char *what = argv[argc - 1];
         pid_t pid;
         static char stack[65536];
         printf("buffered");
         ON("fork", fork())
         ON("vfork", pid = vfork())
         ON("clone", clone(nothing, stack + sizeof stack, 17, NULL))
         ON("system", system("true"))
         ON("popen", popen("true", "r"))
         ON("posix_spawn", posix_spawn(&pid, "./main", NULL, NULL, words, environ))
         ON("posix_spawnp", posix_spawnp(&pid, "main", NULL, NULL, words, environ))
         ON("execve", execve("./main", words, environ))
         ON("execv", execv("./main", words))
         ON("execvp", execvp("./main", words))
         ON("execl", execl("./main", "./main", NULL))
         ON("execlp", execlp("./main", "./main", NULL))
         ON("execveat", execveat(-100, "./main", words, environ, 0))
         ON("fexecve", fexecve(3, words, environ))
         puts("went on");
       }`,
    );
  });

  it.each([
    'fork',
    'vfork',
    'clone',
    'system',
    'popen',
    'posix_spawn',
    'posix_spawnp',
    'execve',
    'execv',
    'execvp',
    'execl',
    'execlp',
    'execveat',
    'fexecve',
  ])('%s', async (what) => {
    expect(await run(program, [what])).toMatchObject({
      status: 1,
      stdout: 'buffered\n',
      stderr: `${what} not allowed\n`,
    });
  });

  it('from Ada', async () => {
    const end = await buildAndRun(
      'main.adb',
      `with GNAT.OS_Lib; procedure Main is
          Done : Boolean; begin GNAT.OS_Lib.Spawn ("./main", (1 .. 0 => null), Done); end Main;`,
    );
    expect(end).toMatchObject({ status: 1, stderr: expect.stringContaining('not allowed\n') });
  });
});

describe('the kernel refuses a system call without the C library', () => {
  let answers = new Map<string, string>();

  beforeAll(async () => {
    const { stdout } = await buildAndRun(
      'main.c',
      `#define _GNU_SOURCE
       #include <errno.h>
       #include <fcntl.h>
       #include <sched.h>
       #include <stdio.h>
       #include <string.h>
       #include <sys/socket.h>
       #include <sys/syscall.h>
       #include <unistd.h>
       static char *words[] = {"./main", NULL}, *none[] = {NULL};
       static void say(const char *name, long result) {
         printf("%s %s\\n", name, result < 0 ? strerrorname_np(errno) : "DONE");
         fflush(stdout);
       }
       #define TRY(name, ...) say(#name, syscall(SYS_##name, __VA_ARGS__, 0L, 0L, 0L, 0L, 0L, 0L))
       int main(void) {
         long arguments[8] = {0, 0, 0, 0, 17};
         int self = open("/proc/self/exe", O_RDONLY);
       #ifdef __x86_64__
         TRY(fork, 0L); TRY(vfork, 0L);
       #endif
         TRY(clone, 17L); TRY(clone3, arguments, sizeof arguments);
         TRY(execve, "./main", words, none);
         say("execve of another path", syscall(SYS_execve, "/proc/self/exe", words, none));
         TRY(execveat, AT_FDCWD, "./main", words, none, 0L);
         say("execveat of a descriptor", syscall(SYS_execveat, self, "", words, none, AT_EMPTY_PATH));
         say("execveat of the loader", syscall(SYS_execveat, 1000, "/lib64/ld-linux-x86-64.so.2", words, none, AT_EMPTY_PATH));
         say("socket AF_INET", syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
         say("socket AF_UNIX", syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0));
         say("socket AF_NETLINK", syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0));
         say("socket AF_VSOCK", syscall(SYS_socket, 40, SOCK_STREAM, 0));
         TRY(socketpair, AF_UNIX, SOCK_STREAM, 0L, arguments);
         TRY(ptrace, 0L); TRY(process_vm_readv, 1L); TRY(memfd_create, "x"); TRY(unshare, CLONE_NEWUSER);
         TRY(setns, 0L); TRY(mount, "x", "/", "tmpfs"); TRY(umount2, "/proc"); TRY(chroot, "."); TRY(pivot_root, ".", ".");
         TRY(bpf, 0L); TRY(perf_event_open, arguments); TRY(userfaultfd, 0L); TRY(io_uring_setup, 1L, arguments);
         TRY(keyctl, 0L); TRY(add_key, "user", "x"); TRY(mq_open, "x", O_CREAT); TRY(shmget, 0L, 4096L, 01600L);
         TRY(personality, 0xffffffffL); TRY(seccomp, 0L); TRY(setuid, 0L); TRY(mknodat, AT_FDCWD, "pipe", 010600L);
         TRY(kill, 1L, 9L); TRY(open_by_handle_at, 0L); TRY(reboot, 0L); TRY(syslog, 3L, arguments, 8L);
       }`,
    );
    answers = new Map(
      stdout
        .trim()
        .split('\n')
        .map((line) => {
          const at = line.lastIndexOf(' ');
          return [line.slice(0, at), line.slice(at + 1)];
        }),
    );
  });

  it('for every call in the list', () => {
    expect(answers.size).toBeGreaterThan(35);
    expect([...answers].filter(([, answer]) => !['EPERM', 'ENOSYS'].includes(answer))).toEqual([]);
  });

  it('with ENOSYS for clone3, so that the C library falls back to clone for threads', () => {
    expect(answers.get('clone3')).toBe('ENOSYS');
  });

  it.each([
    ['with 32-bit call numbers', '__asm__ volatile("int $0x80" : "=a"(result) : "a"(2L) : "memory")'],
    ['with x32 call numbers', '__asm__ volatile("syscall" : "=a"(result) : "a"(0x40000039L) : "rcx", "r11", "memory")'],
  ])('%s', async (_, fork) => {
    const end = await buildAndRun(
      'main.c',
      `#include <stdio.h>
       int main(void) { long result = -1; ${fork}; puts(result >= 0 ? "forked" : "refused"); return result >= 0; }`,
    );
    expect(end.stdout).not.toContain('forked');
    // SIGSEGV: from a kernel without 32-bit calls.
    expect([0, 128 + 31 /* SIGSYS */, 128 + 11]).toContain(end.status);
  });

  it("from a second thread, and for an exec before the program's own", async () => {
    const end = await buildAndRun(
      'main.c',
      `#define _GNU_SOURCE
       #include <pthread.h>
       #include <stdio.h>
       #include <sys/syscall.h>
       #include <unistd.h>
       static void *try(void *words) { printf("%ld", syscall(SYS_execve, "./main", words, words)); return NULL; }
       int main(void) { pthread_t t; char *none[] = {NULL}; pthread_create(&t, NULL, try, none); pthread_join(t, NULL); }`,
    );
    expect(end).toMatchObject({ status: 0, stdout: '-1' });
  });
});

describe('a process in the container', () => {
  const wanted =
    /^(Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs|Seccomp|Seccomp_filters):[ \t]*(.*?)[ \t]*$/gm;
  const read = (text: string) =>
    Object.fromEntries([...text.matchAll(wanted)].map(([, name = '', value = '']) => [name, value]));
  const none = '0000000000000000';
  const shown = gvisor ? {} : { CapAmb: none, NoNewPrivs: '1' };
  const bare = { Groups: '', CapInh: none, CapPrm: none, CapEff: none, Seccomp: '2', ...shown };

  it('has no capability and cannot gain one, as a tool', async () => {
    const { stdout } = await shell('cat /proc/self/status');
    expect(read(stdout)).toMatchObject({
      ...bare,
      Uid: '10001\t10001\t10001\t10001',
      Gid: '10001\t10001\t10001\t10001',
    });
  });

  it('has no capability and cannot gain one, as a program', async () => {
    const end = await buildAndRun(
      'main.c',
      `#include <stdio.h>
       int main(void) { FILE *f = fopen("/proc/self/status", "r"); for (int c; (c = getc(f)) != EOF;) putchar(c); }`,
    );
    expect(read(end.stdout)).toMatchObject({
      ...bare,
      Uid: expect.stringMatching(/^([2-5]\d{4})(\t\1){3}$/),
      ...(!gvisor && { Seccomp_filters: '4' }),
    });
  });

  it('sees no descriptor or memory of the launcher and can write only to its workspace', async () => {
    const { stdout } = await shell(
      `ls -l /proc/self/fd | grep -c -v total
       for file in mem fd/0 fd/1 fd/2; do
         cat /proc/1/$file > /dev/null 2>&1 && echo "read $file"
         (echo x > /proc/1/$file) 2> /dev/null && echo "wrote $file"
       done
       for folder in / /etc /usr /var/tmp /dev /dev/shm /dev/mqueue /sys/fs/cgroup /workspace /proc/sys/kernel; do
         touch $folder/x 2> /dev/null && echo "made $folder/x"
       done
       (echo 1 > /proc/1/oom_score_adj) 2> /dev/null || echo refused`,
    );
    // ls has three descriptors and the folder that it reads.
    expect(stdout).toBe('4\nrefused\n');
  });

  it('sees only the environment of the image', async () => {
    const { stdout, stderr } = await shell(
      "tr '\\0' '\\n' < /proc/1/environ | cut -d= -f1 | sort | tr '\\n' ' '; cat /proc/1/environ",
    );
    if (gvisor) expect(stdout).toMatch(/^HOME HOSTNAME PATH /);
    else expect(stderr).toContain('denied');
  });

  it('finds at most 100 processes', async () => {
    const { stdout, stderr } = await shell('i=0; while [ $i -lt 150 ]; do sleep 60 & i=$((i+1)); done; echo never');
    expect(stdout).not.toContain('never');
    expect(stderr).toContain('fork');
  });

  it('does not fill the process limit with orphans that have ended', async () => {
    const { stdout } = await shell('i=0; while [ $i -lt 150 ]; do (true &) ; i=$((i+1)); done; echo done');
    expect(stdout).toBe('done\n');
  });

  it('does not delay the end of a step by leaving processes behind', async () => {
    const end = await shell('(while true; do echo x; sleep 0.01; done) & sleep 0.2; exit 5');
    expect(end.status).toBe(5);
    expect(end.ms).toBeLessThan(2000);
  });
});
