/** Attacks during a build: reading other files, misleading tools, using time and memory. */
import { c, ada, adaMain } from './lib/programs.js';
import { held, type Attack } from './lib/attack.js';
import { builtTwice, printsTick } from './lib/kept-builds.js';
import { post } from '../helpers/client.js';

const including = (path: string, as = 'build' as const): Attack =>
  c(
    `#include "${path}"`,
    `Has the compiler quote ${path} in its messages.`,
    `#include "${path}"\nint main(void) { trying(); }`,
    {
      at: as,
      look: ({ stdout, stderr }) => {
        // The compiler names the file; only a quoted line would show its contents.
        held(!/root:|AMQP_URL|PASSWORD|SECCOMP_PROFILE|node /i.test(stdout + stderr), `the contents of ${path}`);
      },
    },
  );
/** Includes the bytes of a file through the assembler and prints them. */
const incbin = (
  path: string,
) => `__asm__(".section .rodata\\n.global taken\\ntaken: .incbin \\"${path}\\"\\n.byte 0\\n.global taken_end\\ntaken_end:\\n.previous");
extern const char taken[], taken_end[];`;
const shown = (path: string, effect: RegExp): Attack =>
  c(
    `.incbin "${path}"`,
    `Has the assembler take ${path} into the program, which prints it.`,
    `${incbin(path)}\nint main(void) { trying(); fwrite(taken, 1, taken_end - taken, stdout); }`,
    { at: 'build', look: ({ stdout }) => held(!effect.test(stdout), `the contents of ${path}`) },
  );

/** A section name in C and Ada that makes the assembler include /etc/hostname. */
const section = (own: string) => String.raw`.data\ntick: .inc\x62in \"/etc/hostname\"\n.byte 0\n.section ${own}`;
const ADA_SECTION =
  '".data" & ASCII.LF & ".balign 8" & ASCII.LF & ".inc" & "bin ""/etc/hostname""" & ASCII.LF & ".balign 8" & ASCII.LF & ".section .data"';

const LINKER_SCRIPT = 'given = 0x1234;\n';
const OUTPUT_LIMIT = 1024 * 1024;
const TEMPLATE_BOMB = `template <int N, int M> struct Bomb { static const long value = Bomb<N - 1, M * 2>::value + Bomb<N - 1, M * 2 + 1>::value; };
template <int M> struct Bomb<0, M> { static const long value = M; };
int main() { return (int)Bomb<28, 1>::value; }
`;

export const attacks: Attack[] = [
  including('/etc/shadow'),
  including('/proc/self/environ'),
  including('/proc/1/environ'),
  c(
    '#include of an endless file',
    'Has the compiler read devices and pipes that never come to an end.',
    '#include "/dev/zero"\n#include "/dev/stdin"\n#include "/proc/self/fd/1"\nint main(void) { trying(); }',
    { at: 'build', look: ({ ms }) => held(ms < 60_000, `a build of ${ms} ms`) },
  ),
  c(
    '__has_include',
    'Asks the preprocessor which files of the host are there.',
    (world) =>
      `${['/var/run/docker.sock', '/run/secrets/broker', world.secretPath].map((path) => `#if __has_include("${path}")\n#warning through is_there ${path}\n#endif`).join('\n')}\nint main(void) { trying(); }`,
    { look: ({ stderr }) => held(!stderr.includes('is_there'), 'a file of the host is there for the compiler') },
  ),
  c(
    '#include of a file of the host',
    'Includes a file that the host has and everybody there may read.',
    (world) => `#include "${world.secretPath}"\nint main(void) { trying(); }`,
    { at: 'refusal' },
  ),
  shown('/etc/shadow', /root:/),
  shown('/proc/self/environ', /AMQP|PASSWORD|SANDBOX_IMAGE/),
  shown('/proc/1/environ', /AMQP|PASSWORD|SANDBOX_IMAGE/),
  c(
    '.incbin of a file of the host',
    'Has the assembler take a file of the host into the program.',
    (world) => `${incbin(world.secretPath)}\nint main(void) { trying(); fwrite(taken, 1, taken_end - taken, stdout); }`,
    { at: 'refusal' },
  ),
  c(
    '.incbin of an endless file',
    'Has the assembler read /dev/zero into an object without end.',
    `${incbin('/dev/zero')}\nint main(void) { trying(); }`,
    { at: 'build', look: ({ ms }) => held(ms < 60_000, `a build of ${ms} ms`) },
  ),
  {
    name: 'a linker script',
    tries: 'Sends objects, libraries and lists as if they were built already, which the linker would obey as scripts.',
    async attack(world, token) {
      // Only a linker script can define the value that this program looks for; main.c leaves room for one.
      const files = [
        { basename: 'main.c', contents: 'int unused;\n' },
        {
          basename: 'x.c',
          contents: `#include <stdio.h>\nextern char given[] __attribute__((weak));\nint main(void) {\n if (given) puts("through ${token} a script obeyed"); }\n`,
        },
      ];
      const taken: string[] = [];
      for (const basename of [
        'x.o',
        'main.o',
        'main.d',
        'main.o beside main.d',
        'x.a',
        'libc.so',
        'libc.so.6',
        'libx.so',
        'default.cgpr',
        'auto.cgpr',
        'main.ali',
        'b__main.adb',
        'main.bexch',
        'attack.h.gch',
      ]) {
        // gprbuild accepts an object as its own if its list is present, and passes it to the linker.
        const sent = basename
          .split(' beside ')
          .map((each) => ({ basename: each, contents: each === 'main.d' ? 'main.o: main.c\n' : LINKER_SCRIPT }));
        const { status, body } = await post(world.service.base, '/run_program/', {
          mode: 'run',
          name: 'x',
          main: 'main.c',
          files: [...files, ...sent],
        });
        world.recordAnswer(token, JSON.stringify(body));
        if (status !== 400) taken.push(basename);
        if (status === 200) await world.collect(token, (body as { identifier: string }).identifier);
      }
      const obeyed = world.effectsOf(token);
      held(taken.length === 0, `taken: ${taken.join()}; ${obeyed.length > 0 ? obeyed.join() : 'none was obeyed'}`);
    },
  },
  c(
    'names that are options',
    'Sends files whose names the tools could take for options or for their own files.',
    'int main(void) { trying(); }',
    {
      files: [
        '-fplugin=x',
        '-wrapper',
        '@args',
        '--config=x',
        '-T',
        'specs',
        'default.gpr',
        'gnat.adc',
        'crt1',
        'collect2',
        'as',
        'ld',
        'gcc',
        'gnat1',
        '.gdbinit',
        'a.gpr',
      ].map((basename) => ({
        basename,
        contents: 'project A is\n   for Exec_Dir use "/";\nend A;\n-o\n/tmp/x\n*link: through\n',
      })),
      look: ({ stdout }) => held(stdout.startsWith('Build completed'), 'the build was led astray'),
    },
  ),
  c(
    'a source named like an option',
    'Sends a source named so that its object would be an option of the linker.',
    () => [
      { basename: 'main.c', contents: '#include "attack.h"\nint main(void) { trying(); }' },
      { basename: 'Wl,-T,main.c', contents: '' },
      { basename: 'a -o b.c', contents: '' },
      { basename: "x';touch y;'.c", contents: '' },
    ],
    { at: 'build' },
  ),
  {
    name: 'project text in names',
    tries: 'Judge0 550: breaks out of the project file by quotes and line ends in names, switches and the main.',
    async attack(world, token) {
      const breakout =
        'main"); for Object_Dir use "/"; package Linker is for Default_Switches ("c") use ("-static"); end Linker; for Source_Files use ("main';
      const files = [{ basename: 'main.c', contents: '#include <stdio.h>\nint main(void) {\n puts("plain"); }\n' }];
      for (const request of [
        { main: breakout },
        { main: 'main.c\n--config=x' },
        { name: 'x\n-P y' },
        { switches: { 'Compiler is end Compiler; package Linker': ['-static'] } },
        { switches: { Compiler: ['-gnata\n-fplugin=./x', '-gnata", "-fplugin=x', `-g ${breakout}`] } },
        { switches: { 'Compiler\nis': ['-g'] } },
        { files: [...files, { basename: `${breakout}.c`, contents: '' }] },
        { files: [...files, { basename: 'a\n.c', contents: '' }] },
      ]) {
        const answer = await fetch(`${world.service.base}/run_program/`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ mode: 'run', name: 'x', files, ...request }),
        });
        const body = (await answer.json()) as { identifier?: string };
        held(
          answer.status === 200 || answer.status === 400,
          `an answer of ${answer.status} to ${JSON.stringify(request)}`,
        );
        if (answer.status === 400) continue;
        const result = await world.collect(token, String(body.identifier));
        held(
          result.message === 'SUCCESS' && JSON.stringify(result.output).includes('plain'),
          `another build than that of the project: ${JSON.stringify(result.output)}`,
        );
      }
    },
  },
  c(
    'a preprocessor bomb',
    'Doubles a macro forty times over.',
    `${Array.from({ length: 40 }, (_, i) => `#define B${i + 1} B${i} B${i}`).join('\n')}\n#define B0 x\nint main(void) { trying(); B40 }`,
    { at: 'refusal', look: ({ ms }) => held(ms < 60_000, `a build of ${ms} ms`) },
  ),
  c(
    '#line of files',
    'Tells the compiler that its lines are those of other files, which it then quotes beside its messages.',
    (world) =>
      ['/etc/shadow', '/proc/1/environ', '/proc/self/environ', world.secretPath]
        .map((path, i) => `#line 1 "${path}"\nint a${i} = b${i};`)
        .join('\n'),
    {
      at: 'refusal',
      look: ({ stdout, stderr }) =>
        held(!/root:|AMQP_URL|PASSWORD|SECCOMP_PROFILE/.test(stdout + stderr), 'the contents of a file'),
    },
  ),
  c(
    '#line of an endless file',
    'Has the compiler look for its lines in devices and pipes that have no end.',
    ['/dev/zero', '/dev/stdin', '/proc/self/fd/1', '/proc/kmsg', '/dev/urandom']
      .map((path, i) => `#line 99999 "${path}"\nint a${i} = b${i};`)
      .join('\n'),
    { at: 'refusal', look: ({ ms }) => held(ms < 60_000, `a build of ${ms} ms`) },
  ),
  ada(
    'Source_File_Name',
    'Has GNAT take a file of the host for the source of a unit, and quote it in its messages.',
    (world) => [
      {
        basename: 'main.adb',
        contents: `pragma Source_File_Name (Other, Spec_File_Name => "${world.secretPath}");\n${adaMain('   null;', '', 'with Other;')}`,
      },
      { basename: 'gnat.adc', contents: `pragma Source_File_Name (Other, Spec_File_Name => "${world.secretPath}");\n` },
    ],
    { at: 'refusal' },
  ),
  c(
    'an assembler bomb',
    'Has the assembler repeat a line two thousand million times, and leave room for terabytes.',
    '__asm__(".section .data\\n.rept 2000000000\\n.quad 1\\n.endr\\n.org 1 << 42\\n.fill 1 << 40, 8, 1\\n.previous");\nint main(void) { trying(); }',
    { at: 'refusal', look: ({ ms }) => held(ms < 60_000, `a build of ${ms} ms`) },
  ),
  c(
    'a flood from the assembler',
    'Has the assembler print millions of lines while it assembles, beside what the service says.',
    `__asm__(".rept 3000000\\n.print \\"Build completed successfully. ${'x'.repeat(200)}\\"\\n.endr");\nint main(void) { trying(); }`,
    {
      at: 'build',
      look: ({ stdout, status }) =>
        held(
          stdout.length <= OUTPUT_LIMIT + 4096 && status !== 0,
          `${stdout.length} characters and an end with ${status}`,
        ),
    },
  ),
  c(
    'a file that includes itself',
    'Includes itself twice, without an end.',
    () => [
      { basename: 'main.c', contents: '#include "a.h"\nint main(void) { return 0; }\n' },
      { basename: 'a.h', contents: '#include "a.h"\n#include "a.h"\n' },
    ],
    { at: 'refusal', look: ({ ms }) => held(ms < 60_000, `a build of ${ms} ms`) },
  ),
  c(
    'a template bomb',
    'Has the C++ compiler instantiate 2 to the power of 28 templates.',
    () => [{ basename: 'main.cpp', contents: TEMPLATE_BOMB }],
    { at: 'refusal', request: { main: 'main.cpp' }, look: ({ ms }) => held(ms < 60_000, `a build of ${ms} ms`) },
  ),
  ada(
    'a generic bomb',
    'Has GNAT instantiate packages within packages, five to each.',
    () => [
      {
        basename: 'main.adb',
        contents: `procedure Main is\n${Array.from({ length: 12 }, (_, i) => `   generic package G${i} is\n${i === 0 ? '      X : Integer := 0;\n' : Array.from({ length: 5 }, (__, j) => `      package I${j} is new G${i - 1};\n`).join('')}   end G${i};\n`).join('')}   package Boom is new G11;\nbegin null; end Main;\n`,
      },
    ],
    { at: 'build', look: ({ ms }) => held(ms < 60_000, `a build of ${ms} ms`) },
  ),
  c(
    'an object of gigabytes',
    'Has the compiler write an array of 8 GiB, initialised, into an object.',
    'char huge[8UL << 30] = {1};\nint main(void) { trying(); return huge[1]; }',
    { at: 'build' },
  ),
  ada(
    'static evaluation',
    'Has GNAT compute a number of a hundred million digits while it compiles.',
    adaMain('   null;', '   X : constant := 7 ** (7 ** (7 ** 7));'),
    { at: 'build', look: ({ ms }) => held(ms < 60_000, `a build of ${ms} ms`) },
  ),
  c(
    'plugins and wrappers by attribute',
    'Asks the compiler in pragmas and attributes to load, include or start something.',
    `#pragma GCC optimize ("-fplugin=./x.so")
#pragma GCC target ("arch=native")
#pragma comment(lib, "/etc/passwd")
#pragma GCC dependency "/etc/shadow"
#pragma GCC push_options
__asm__(".include \\"/etc/shadow\\"");
int main(void) { trying(); }`,
    { at: 'build', look: ({ stderr }) => held(!stderr.includes('root:'), 'the contents of /etc/shadow') },
  ),
  c(
    'options in an object',
    'Writes sections that the linker takes for options or for code of its link-time optimiser.',
    `__attribute__((section(".drectve"), used)) static const char d[] = "-T x -o /workspace/tmp/" TOKEN;
__attribute__((section(".gnu.lto_.opts"), used)) static const char o[] = "'-wrapper' 'sh,-c,sleep 1 ; echo through " TOKEN "'";
__attribute__((section(".gnu.lto_.symtab.1"), used)) static const char s[] = "main";
__attribute__((section(".gnu.lto_main.1"), used)) static const char m[] = "xx";
__attribute__((section(".deplibs"), used)) static const char p[] = "/etc/passwd";
int main(void) { trying(); }`,
    { at: 'build' },
  ),
  c(
    'its own interpreter',
    'Names another dynamic loader, a library in a folder of its own, and an audit library in its headers.',
    `__attribute__((section(".interp"), used)) static const char i[] = "/workspace/sessions/main.c";
int main(void) { trying(); }`,
    { at: 'build' },
  ),
  builtTwice(
    "another's time by __CONCAT",
    "Pastes __TIME__ by a macro of the system's.",
    printsTick('main.c', '#include <sys/cdefs.h>', 'puts(__CONCAT(__TI, ME__))'),
  ),
  builtTwice(
    "another's time behind a form feed",
    'Writes __TIME__ over two lines, with a form feed behind the backslash.',
    printsTick('main.c', '', 'puts(__TI\\ \f\nME__)'),
  ),
  builtTwice(
    "another's time behind a vertical tab",
    'Writes __TIME__ over two lines of C++, with a vertical tab behind the backslash.',
    printsTick('main.cpp', '', 'puts(__TI\\\v\nME__)'),
  ),
  builtTwice("another's time by bracket notation", 'Names GNAT.Source_Info with letters in brackets.', [
    {
      basename: 'main.adb',
      contents: adaMain(
        '   Put_Line (GNAT.Source_["49"]nfo.Compilation_["54"]ime);',
        '',
        'with GNAT.Source_["49"]nfo;',
      ),
    },
  ]),
  builtTwice(
    "a file at another's build by a comment",
    'Includes a file by a directive with a comment in it, and reads it in a message.',
    [{ basename: 'main.c', contents: '#/**/include "/etc/hostname"\nint main(void) { return 0; }\n' }],
  ),
  builtTwice(
    "a file at another's build by a line marker",
    'Says that a wrong line is that of another file, and reads that one in a message.',
    [{ basename: 'main.c', contents: '# 1 "/proc/uptime"\nint main(void) { return wrong; }\n' }],
  ),
  builtTwice(
    "a file at another's build by a section",
    'Has the assembler take in a file by the name of a section.',
    printsTick('main.c', `extern char tick[];\n__attribute__((section("${section('.data')}"))) int x = 1;`),
  ),
  builtTwice(
    "a file at another's build by a section in C++",
    'Has the assembler take in a file by the name of a section, in an attribute of C++.',
    printsTick('main.cpp', `extern "C" char tick[];\n[[using gnu: section("${section('.data')}"), used]] int x = 1;`),
  ),
  builtTwice(
    "a file at another's build by an attribute of the system's",
    'Redefines a name in an attribute of a system header, so that it names a section too.',
    printsTick(
      'main.c',
      `#define fclose fclose, 1), section("${section('.text')}"), malloc (fclose
#include <wchar.h>
#undef fclose
FILE *open_wmemstream(wchar_t **text, size_t *size) { return NULL; }
extern char tick[];`,
    ),
  ),
  builtTwice(
    "a file at another's build by a section in Ada",
    'Has the assembler take in a file by the aspect Linker_Section.',
    [
      {
        basename: 'main.adb',
        contents: adaMain(
          "   for Each of S loop\n      if Each in '0' .. '9' | 'a' .. 'f' then Put (Each); end if;\n   end loop;",
          "   S : array (1 .. 16) of Character with Address => Slot.X'Address - 16;",
          'with Slot; with System.Storage_Elements; use System.Storage_Elements;',
        ),
      },
      {
        basename: 'slot.ads',
        contents: `package Slot is\n   X : Integer := 1 with Volatile, Linker_Section => ${ADA_SECTION};\nend Slot;\n`,
      },
    ],
  ),
];
