/** Circumvents the preload guard to start another process. */
import { ada, adaMain, c, type ProgramOptions } from './lib/programs.js';
import type { Attack } from './lib/attack.js';

const raw = (name: string, call: string, before = ''): Attack =>
  c(
    name,
    `Starts a process by the raw system call: ${name}.`,
    `${before}int main(void) { trying(); forked(${call}); }`,
  );

/** x86_64 code for fork(): mov $57, %eax; syscall; ret */
const CODE = '0xb8, 57, 0, 0, 0, 0x0f, 0x05, 0xc3';
const X86: ProgramOptions = { architecture: 'x64' };
const x86 = (name: string, tries: string, body: string, before = ''): Attack =>
  c(name, tries, `${before}int main(void) { trying(); ${body} }`, X86);

export const attacks: Attack[] = [
  c('fork by the C library', 'Forks as every program would.', 'int main(void) { trying(); forked(fork()); }'),
  raw('fork by number', 'syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)'),
  c(
    'vfork by number',
    'Starts a process by vfork, or by the flags that vfork stands for.',
    `int main(void) { trying();
#ifdef SYS_vfork
      forked(syscall(SYS_vfork));
#endif
      forked(syscall(SYS_clone, 0x4100 | SIGCHLD, 0, 0, 0, 0)); }`,
  ),
  raw(
    'clone3 by number',
    'syscall(SYS_clone3, arguments, sizeof arguments)',
    'static long arguments[11] = {[4] = SIGCHLD};\n',
  ),
  c(
    'a process disguised as a thread',
    'Hides a new process behind flags that look like those of a thread.',
    `#include <sched.h>
     int main(void) { trying();
       for (int bit = 0; bit < 64; bit++) forked(syscall(SYS_clone, ((1UL << bit) & ~0x10000UL) | SIGCHLD, 0, 0, 0, 0));
       forked(syscall(SYS_clone, 0xffffffff00000000UL | SIGCHLD, 0, 0, 0, 0)); }`,
  ),
  c(
    'execve by number',
    'Becomes another program, which can be seen by its arguments.',
    `int main(int argc, char **argv) { if (argc == 3) { appear(); return 0; } trying();
       char *words[] = {"./main", TOKEN, "again", NULL};
       syscall(SYS_execve, "./main", words, none); syscall(SYS_execve, "/proc/self/exe", words, none);
       syscall(SYS_execve, "/usr/libexec/code-widgets/launcher", words, none); }`,
  ),
  c(
    'execveat by number',
    'Becomes another program by a descriptor or through the dynamic loader.',
    `int main(int argc, char **argv) { if (argc == 3) { appear(); return 0; } trying();
       char *words[] = {"./main", TOKEN, "again", NULL};
       char *loader[] = {"ld", "./main", TOKEN, "again", NULL};
       int self = open("/proc/self/exe", O_RDONLY);
       syscall(SYS_execveat, self, "", words, none, 0x1000); syscall(SYS_execveat, -100, "./main", words, none, 0);
       syscall(SYS_execveat, -100, "/lib64/ld-linux-x86-64.so.2", loader, none, 0); }`,
  ),
  c(
    'execve from a second thread',
    'Calls execve in a thread, in case that only the first one is watched.',
    `#include <pthread.h>
     static char *words[] = {"./main", TOKEN, "again", NULL};
     static void *run(void *x) { forked(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); syscall(SYS_execve, "./main", words, none); return x; }
     int main(int argc, char **argv) { if (argc == 3) { appear(); return 0; } trying();
       pthread_t t; pthread_create(&t, NULL, run, NULL); pthread_join(t, NULL); }`,
  ),
  c(
    'posix_spawn',
    'Starts itself by posix_spawn.',
    `#include <spawn.h>
     int main(int argc, char **argv) { if (argc == 3) { appear(); return 0; } trying();
       char *words[] = {"./main", TOKEN, "again", NULL}; pid_t pid;
       if (posix_spawn(&pid, "./main", NULL, NULL, words, none) == 0) usleep(400000); }`,
  ),
  c(
    'system and popen',
    'Starts a shell by the C library.',
    'int main(void) { trying(); system("echo through " TOKEN "; sleep 0.3"); popen("echo through " TOKEN " >&2; sleep 0.3", "r"); usleep(100000); }',
  ),
  c(
    "the C library's own entry",
    'Finds fork in the C library itself, past the preloaded name.',
    `#include <dlfcn.h>
     int main(void) { trying();
       void *libc = dlopen("libc.so.6", RTLD_LAZY);
       const char *names[] = {"fork", "_Fork", "__libc_fork", "vfork"};
       for (int i = 0; i < 4; i++) { pid_t (*call)(void) = (pid_t (*)(void))dlsym(libc, names[i]); if (call) forked(call()); }
       pid_t (*next)(void) = (pid_t (*)(void))dlsym(RTLD_NEXT, "fork"); if (next) forked(next()); }`,
  ),
  x86(
    'assembler',
    'Forks by an instruction of its own.',
    'long pid; __asm__ volatile("syscall" : "=a"(pid) : "a"(57L) : "rcx", "r11", "memory"); forked(pid);',
  ),
  x86(
    '32-bit call numbers',
    'DMOJ: forks by int $0x80, whose numbers are others than those that a filter may look at.',
    'long pid; __asm__ volatile("int $0x80" : "=a"(pid) : "a"(2L) : "memory"); forked(pid);',
  ),
  x86(
    'a far jump to 32-bit mode',
    'DMOJ: changes the processor to 32 bits, then calls fork there.',
    `static const unsigned char code[] = {0xb8, 2, 0, 0, 0, 0xcd, 0x80, 0xcb};
      unsigned char *low = mmap((void *)0x10000, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | 0x40, -1, 0);
      if (low == MAP_FAILED) return 0;
      memcpy(low, code, sizeof code);
      struct { unsigned offset; unsigned short segment; } __attribute__((packed)) target = {0x10000, 0x23};
      long pid; __asm__ volatile("lcall *%1" : "=a"(pid) : "m"(target) : "rcx", "rdx", "memory"); forked((int)pid);`,
  ),
  x86(
    'x32 call numbers',
    'Forks by the numbers of the x32 interface.',
    'long pid; __asm__ volatile("syscall" : "=a"(pid) : "a"(0x40000039L) : "rcx", "r11", "memory"); forked(pid);',
  ),
  x86(
    'code in a section',
    'Puts the bytes of fork into an executable section.',
    'forked(((long (*)(void))code)());',
    `__attribute__((section(".text.x,\\"ax\\",@progbits#"))) static const unsigned char code[] = {${CODE}};\n`,
  ),
  x86(
    'code in a page',
    'Maps a page that is writable and executable, and calls the bytes of fork in it.',
    `static const unsigned char code[] = {${CODE}};
      void *page = mmap(NULL, 4096, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); memcpy(page, code, sizeof code); forked(((long (*)(void))page)());`,
  ),
  x86(
    'code by /proc/self/mem',
    'Writes the bytes of fork over a function through /proc/self/mem.',
    `static const unsigned char code[] = {${CODE}};
      int memory = open("/proc/self/mem", O_RDWR); pwrite(memory, code, sizeof code, (off_t)victim); forked(victim());`,
    '__attribute__((noinline)) long victim(void) { return -1; }\n',
  ),
  x86(
    'code on the stack',
    'Makes the stack executable and runs the bytes of fork there.',
    `unsigned char code[] = {${CODE}};
      mprotect((void *)((unsigned long)code & ~4095UL), 8192, 7); forked(((long (*)(void))code)());`,
  ),
  c(
    '.preinit_array',
    'Forks before the preloaded guard has had its turn.',
    `static void early(void) { trying(); forked(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }
     __attribute__((section(".preinit_array"), used)) static void (*const first)(void) = early;
     int main(void) { return 0; }`,
  ),
  c(
    'a constructor',
    'Forks before main.',
    '__attribute__((constructor(101))) static void early(void) { trying(); forked(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }\nint main(void) { return 0; }',
  ),
  c(
    'IFUNC',
    'Forks while the dynamic loader resolves a symbol, before any code of the program.',
    `static int nothing(void) { return 0; }
     static void *choose(void) {
       static const char words[] = "through " TOKEN " another process\\n"; long pid, n;
       __asm__ volatile("syscall" : "=a"(pid) : "a"(57L) : "rcx", "r11", "memory");
       if ((int)pid == 0) __asm__ volatile("syscall" : "=a"(n) : "a"(1L), "D"(1L), "S"(words), "d"(sizeof words - 1) : "rcx", "r11", "memory");
       if ((int)pid >= 0) for (volatile long i = 0; i < 500000000; i++);
       return nothing; }
     int chosen(void) __attribute__((ifunc("choose")));
     int main(void) { trying(); return chosen(); }`,
    X86,
  ),
  c(
    'the guard unset',
    'Starts itself anew without LD_PRELOAD, and gets rid of the guard in memory.',
    `int main(int argc, char **argv) { if (argc == 3) { appear(); return 0; } trying();
       unsetenv("LD_PRELOAD"); char *words[] = {"./main", TOKEN, "again", NULL};
       syscall(SYS_execve, "./main", words, none);
       FILE *maps = fopen("/proc/self/maps", "r"); char line[512]; unsigned long from, to;
       while (fgets(line, sizeof line, maps))
         if (strstr(line, "guard.so") && sscanf(line, "%lx-%lx", &from, &to) == 2 && mprotect((void *)from, to - from, 7) == 0 && strstr(line, "r-x"))
           memset((void *)from, 0x90, 0);
       forked(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }`,
  ),
  c(
    'a filter of its own',
    "Sets a seccomp filter that allows everything, or that hands execve to itself, over the launcher's.",
    `#include <linux/seccomp.h>
     #include <linux/filter.h>
     int main(int argc, char **argv) { if (argc == 3) { appear(); return 0; } trying();
       struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}; struct sock_fprog filter = {1, all};
       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter); syscall(SYS_seccomp, 1, 8, &filter); prctl(PR_SET_SECCOMP, 0, 0);
       char *words[] = {"./main", TOKEN, "again", NULL};
       forked(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); syscall(SYS_execve, "./main", words, none); }`,
  ),
  ada(
    'GNAT.OS_Lib.Spawn',
    'Starts itself by the Ada run-time library.',
    adaMain(
      `   if Argument_Count = 2 then
      Put_Line ("through " & Argument (1));
      delay 0.3;
      return;
   end if;
   Spawn ("./main", (new String'(Argument (1)), new String'("again")), Done);
   Pid := Non_Blocking_Spawn ("./main", (new String'(Argument (1)), new String'("again")));
   delay 0.3;`,
      '   Done : Boolean; Pid : Process_Id;',
      'with GNAT.OS_Lib; use GNAT.OS_Lib;',
    ),
  ),
  ada(
    'GNAT.Expect',
    'Starts itself by the Ada library that talks to processes.',
    adaMain(
      `   if Argument_Count = 2 then
      Put_Line ("through " & Argument (1));
      delay 0.3;
      return;
   end if;
   Non_Blocking_Spawn (Process, "./main", (new String'(Argument (1)), new String'("again")));
   delay 0.3;`,
      '   Process : Process_Descriptor;',
      'with GNAT.OS_Lib; use GNAT.OS_Lib; with GNAT.Expect; use GNAT.Expect;',
    ),
  ),
];
