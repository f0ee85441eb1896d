import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { collect, runProgram, submit, text, verdict, type RunRequest, type RunResult } from '../helpers/client.js';
import { deploy, type Deployment } from '../helpers/deployment.js';

/** A short time limit, so that a timeout does not take 10 s. */
const RUN_LIMIT_MS = 3000;
const OUTPUT_LIMIT_BYTES = 64 * 1024;

let service: Deployment;
beforeAll(async () => {
  const env = { RUN_LIMIT_MS: String(RUN_LIMIT_MS), OUTPUT_LIMIT_BYTES: String(OUTPUT_LIMIT_BYTES) };
  service = await deploy({ widgets: 1, workers: 1, env });
}, 60_000);
afterAll(() => service.end(), 60_000);

type Files = RunRequest['files'];
const HEADERS = [
  'assert',
  'errno',
  'fcntl',
  'iconv',
  'grp',
  'netdb',
  'pwd',
  'signal',
  'stdio',
  'stdlib',
  'string',
  'time',
  'unistd',
]
  .map((name) => `#include <${name}.h>\n`)
  .join('');
const c = (body: string, before = ''): Files => [
  {
    basename: 'main.c',
    contents: `#define _GNU_SOURCE\n${HEADERS}${before}\nint main(int argc, char **argv) {\n${body}\n  return 0;\n}\n`,
  },
];
const cpp = (body: string, before = ''): Files => [
  {
    basename: 'main.cpp',
    contents: `#include <iostream>\n#include <cstdio>\n#include <stdexcept>\n${before}\nint main() {\n${body}\n}\n`,
  },
];
const ada = (body: string, declarations = ''): Files => [
  {
    basename: 'main.adb',
    contents: `with Ada.Text_IO; use Ada.Text_IO;\nprocedure Main is\n${declarations}\nbegin\n${body}\nend Main;\n`,
  },
];
const run = (files: Files, mode = 'run') => runProgram(service.base, { files, mode });

/** The type and text of each line that the program wrote, without the lines of the build. */
function linesOf({ output }: RunResult): string[] {
  const start = output.findLastIndex(({ msg }) => msg.type === 'console') + 1;
  return output.slice(start).flatMap(({ msg }) =>
    msg.type === 'lab'
      ? []
      : msg.data
          .replace(/\n$/, '')
          .split('\n')
          .map((line) => `${msg.type}: ${line}`),
  );
}

describe('output before the end of the program is shown', () => {
  const crash = '  volatile int *nowhere = 0; *nowhere = 1;';
  it.each<[string, Files, number, RegExp]>([
    ['printf, then a crash', c(`  printf("before\\n");\n${crash}`), 139, /SIGSEGV/],
    ['puts, then a crash', c(`  puts("before");\n${crash}`), 139, /SIGSEGV/],
    ['a flushed part of a line, then a crash', c(`  printf("before"); fflush(stdout);\n${crash}`), 139, /SIGSEGV/],
    ['a failed assertion', c('  puts("before");\n  assert(argc == 7);'), 134, /SIGABRT/],
    ['abort', c('  puts("before");\n  abort();'), 134, /SIGABRT/],
    ['_exit', c('  puts("before");\n  _exit(3);'), 3, /^$/],
    ['a division by zero', c('  puts("before");\n  volatile int zero = argc - 1;\n  return 1 / zero;'), 136, /SIGFPE/],
    [
      'endless recursion',
      c(
        '  puts("before");\n  return deeper(1);',
        'int deeper(int n) { volatile char room[4096]; room[0] = n; return deeper(n + 1) + room[0]; }',
      ),
      139,
      /SIGSEGV.*stack/,
    ],
    ['an invalid instruction', c('  puts("before");\n  __builtin_trap();'), 132, /SIGILL/],
    ['SIGKILL by itself', c('  puts("before");\n  kill(getpid(), SIGKILL);'), 137, /SIGKILL.*no limit was reached/],
    ['SIGTERM by itself', c('  puts("before");\n  raise(SIGTERM);'), 143, /SIGTERM/],
    ['a real-time signal', c('  puts("before");\n  raise(SIGRTMIN + 3);'), 165, /SIGRTMIN\+3/],
    ['the time limit', c('  puts("before");\n  for (;;) ;'), 124, /Maximum 3s process limit/],
    ['the memory limit', c('  puts("before");\n  for (;;) memset(malloc(1 << 20), 1, 1 << 20);'), 137, /memory limit/],
    [
      'the output limit',
      c('  puts("before");\n  for (;;) fputs("0123456789012345678901234567890123456789\\n", stderr);'),
      153,
      /output limit/,
    ],
    ['system', c('  puts("before");\n  system("true");'), 1, /system not allowed/],
    ['fork', c('  puts("before");\n  fork();'), 1, /fork not allowed/],
    [
      'a stream that was opened again, then a crash',
      c(`  freopen("/dev/stdout", "w", stdout);\n  puts("before");\n${crash}`),
      139,
      /SIGSEGV/,
    ],
    ['execve', c('  puts("before");\n  execve(argv[0], argv, 0);'), 1, /execve not allowed/],
    ['std::cout, then std::terminate', cpp('  std::cout << "before\\n";\n  std::terminate();'), 134, /SIGABRT/],
    [
      'an exception that nothing handles',
      cpp('  std::cout << "before\\n";\n  throw std::out_of_range("beyond");'),
      134,
      /out_of_range[\s\S]*SIGABRT/,
    ],
    [
      'std::cout without stdio, then a crash',
      cpp(`  std::ios::sync_with_stdio(false);\n  std::cout << "before\\n";\n${crash}`),
      139,
      /SIGSEGV/,
    ],
    [
      'std::cout without stdio, then the time limit',
      cpp('  std::ios_base::sync_with_stdio(false);\n  std::cout << "before\\n";\n  for (;;) std::cin.get();'),
      124,
      /process limit/,
    ],
    ['Ada, then the time limit', ada('   Put_Line ("before");\n   loop null; end loop;'), 124, /process limit/],
    ['Ada, then an exception', ada('   Put_Line ("before");\n   raise Program_Error;'), 1, /PROGRAM_ERROR/],
  ])('%s', async (_, files, status, words) => {
    const result = await run(files);
    expect(result).toMatchObject({ status, message: 'SUCCESS' });
    expect(linesOf(result)[0]).toBe('stdout: before');
    expect(
      linesOf(result)
        .slice(1)
        .filter((line) => line.startsWith('stderr: '))
        .join('\n'),
    ).toMatch(words);
  });

  it.each([
    ['a refused call', '  system("true");', ['stdout: before', 'stderr: system not allowed']],
    [
      'a failed assertion',
      '  assert(argc == 7);',
      ['stdout: before', expect.stringMatching(/^stderr: .*argc == 7/), expect.stringMatching(/SIGABRT/)],
    ],
    ['abort', '  abort();', ['stdout: before', expect.stringMatching(/SIGABRT/)]],
    [
      'a read that crashes',
      '  int c; if (scanf("%d", &c) != 1) raise(SIGSEGV);',
      ['stdout: before', expect.stringMatching(/SIGSEGV/)],
    ],
  ])('before %s, also without a line end', async (_, end, lines) => {
    expect(linesOf(await run(c(`  printf("before");\n${end}`)))).toEqual(lines);
  });

  it('in a lab case, as its actual output', async () => {
    const lab = { basename: 'lab_io.txt', contents: 'in1: x\nout1: before\n' };
    const result = await run([...c('  puts(" before");\n  abort();'), lab], 'submit');
    expect(verdict(result)).toMatchObject({ success: true, cases: { 1: { actual: ' before', status: 'Success' } } });
  });

  it('line by line while it runs', async () => {
    const program = '  for (int i = 0; i < 4; i++) {\n    printf("%d\\n", i);\n    usleep(500000);\n  }';
    const identifier = await submit(service.base, { files: c(program), mode: 'run' });
    const sizes: number[] = [];
    const result = await collect(service.base, identifier, { onAnswer: ({ output }) => sizes.push(output.length) });
    expect(linesOf(result)).toEqual(['stdout: 0', 'stdout: 1', 'stdout: 2', 'stdout: 3']);
    expect(sizes.filter((size) => size > 0).length).toBeGreaterThan(3);
  });

  it('without changing the buffer mode that a program asks for', async () => {
    const result = await run(c('  setvbuf(stdout, NULL, _IOFBF, 4096);\n  puts("kept");\n  _exit(0);'));
    expect(linesOf(result)).toEqual([]);
  });
});

describe('stdout and stderr keep the order of writes', () => {
  const LINES = 1000;
  const inTurn = Array.from({ length: LINES }, (_, i) => [`stdout: out ${i}`, `stderr: err ${i}`]).flat();

  it.each<[string, Files]>([
    [
      'C',
      c(
        `  for (int i = 0; i < ${LINES}; i++) {\n    printf("out %d\\n", i);\n    fprintf(stderr, "err %d\\n", i);\n  }`,
      ),
    ],
    [
      'C++',
      cpp(
        `  for (int i = 0; i < ${LINES}; i++) {\n    std::cout << "out " << i << "\\n";\n    std::cerr << "err " << i << "\\n";\n  }`,
      ),
    ],
    [
      'Ada',
      ada(
        `   for I in 0 .. ${LINES - 1} loop\n      Put_Line ("out" & I'Image);\n      Put_Line (Standard_Error, "err" & I'Image);\n   end loop;`,
      ),
    ],
    [
      'streams that were opened by name',
      c(
        `  FILE *o = freopen("/dev/stdout", "w", stdout), *e = fopen("/dev/stderr", "w");\n  for (int i = 0; i < ${LINES}; i++) {\n    fprintf(o, "out %d\\n", i);\n    fprintf(e, "err %d\\n", i);\n  }`,
      ),
    ],
  ])('line by line: %s', async (_, files) => {
    expect(linesOf(await run(files))).toEqual(inTurn);
  });

  it('with many lines of one stream between two lines of the other', async () => {
    const program =
      '  for (int i = 0; i < 20; i++) {\n    for (int k = 0; k < 100; k++) printf("%d %d\\n", i, k);\n    fprintf(stderr, "%d\\n", i);\n  }';
    const wanted = Array.from({ length: 20 }, (_, i) => [
      ...Array.from({ length: 100 }, (__, k) => `stdout: ${i} ${k}`),
      `stderr: ${i}`,
    ]).flat();
    expect(linesOf(await run(c(program)))).toEqual(wanted);
  });

  it('with writes larger than a pipe', async () => {
    const program =
      '  static char text[10001];\n  for (int i = 0; i < 3; i++) {\n    memset(text, \'a\' + i, 10000);\n    puts(text);\n    fprintf(stderr, "%d\\n", i);\n  }';
    const wanted = ['a', 'b', 'c'].flatMap((letter, i) => [`stdout: ${letter.repeat(10_000)}`, `stderr: ${i}`]);
    expect(linesOf(await run(c(program)))).toEqual(wanted);
  });

  it.each<[string, (mark: string) => Files]>([
    ['C', (mark) => [{ basename: 'bad.c', contents: `int main(void)\n{\n  ${mark} = 5;\n}\n` }]],
    ['C++', (mark) => [{ basename: 'bad.cpp', contents: `int main()\n{\n  ${mark} = 5;\n}\n` }]],
    ['Ada', (mark) => [{ basename: 'bad.adb', contents: `procedure Bad is\nbegin\n   ${mark} := 5;\nend Bad;\n` }]],
  ])(
    'in failed builds of new sources: %s',
    async (_, files) => {
      for (let i = 0; i < 10; i++) {
        const lines = linesOf(await run(files(`y${randomUUID().slice(0, 8)}`), 'compile'));
        expect(lines.slice(0, -2).every((line) => line.startsWith('stderr: '))).toBe(true);
        expect(lines.slice(-2)).toEqual([
          'stdout: gprbuild: *** compilation phase failed',
          'stderr: Build failed with error code: 4',
        ]);
      }
    },
    60_000,
  );
});

describe('a program finds the parts of a small Debian system', () => {
  const zone = (name: string) =>
    `  setenv("TZ", "${name}", 1);\n  tzset();\n  time_t t = 0;\n  char text[99];\n  strftime(text, sizeof text, "%H:%M %Z", localtime(&t));\n  puts(text);`;
  it.each<[string, Files, string]>([
    ['a time zone', c(zone('America/New_York')), '19:00 EST'],
    ['an old name of a time zone', c(zone('US/Eastern')), '19:00 EST'],
    ['another time zone', c(zone('Asia/Tokyo')), '09:00 JST'],
    [
      'a conversion from Latin-1',
      c(
        '  char in[] = "\\xe9\\n", out[9] = "", *from = in, *to = out;\n  size_t a = 2, b = 8;\n  iconv(iconv_open("UTF-8", "ISO-8859-1"), &from, &a, &to, &b);\n  fputs(out, stdout);',
      ),
      'é',
    ],
    [
      'a conversion to Shift JIS',
      c('  puts(iconv_open("SHIFT_JIS", "UTF-8") == (iconv_t)-1 ? "none" : "found");'),
      'found',
    ],
    ['its user', c('  puts(getpwuid(getuid())->pw_name);'), 'runner'],
    ['its group', c('  puts(getgrgid(getgid())->gr_name);'), 'runner'],
    ['the user nobody', c('  printf("%d\\n", getpwnam("nobody")->pw_uid);'), '65534'],
    ['a service', c('  printf("%d\\n", ntohs(getservbyname("http", "tcp")->s_port));', '#include <arpa/inet.h>'), '80'],
    ['a protocol', c('  printf("%d\\n", getprotobyname("udp")->p_proto);'), '17'],
    [
      'the name of its system',
      c('  FILE *f = fopen("/etc/os-release", "r");\n  puts(f ? "found" : strerror(errno));'),
      'found',
    ],
  ])('%s', async (_, files, line) => {
    expect(linesOf(await run(files))).toEqual([`stdout: ${line}`]);
  });

  it.each([
    ['/dev/stdout', 'stdout'],
    ['/dev/stderr', 'stderr'],
    ['/dev/fd/2', 'stderr'],
    ['/proc/self/fd/1', 'stdout'],
  ])('%s', async (path, stream) => {
    const program = `  FILE *f = fopen("${path}", "w");\n  if (!f) { perror("${path}"); return 1; }\n  fprintf(f, "through\\n");`;
    expect(linesOf(await run(c(program)))).toEqual([`${stream}: through`]);
  });
});

describe('a source without a final line end', () => {
  it.each(['compile', 'run'])('has no visible end mark: %s', async (mode) => {
    const contents = 'procedure Main is\nbegin\n   null;\nend Mian;';
    const result = await run([{ basename: 'main.adb', contents }], mode);
    expect(text(result, 'stderr')).toMatch(/main\.adb:4/);
    expect(JSON.stringify(result.output)).not.toContain('\\u001a');
  });

  it('has its open string reported in the right line', async () => {
    const contents =
      'with Ada.Text_IO;\nprocedure Main is\nbegin\n   Ada.Text_IO.Put_Line ("Hello);\nend Main;\nX : String := "abc';
    const shown = text(await run([{ basename: 'main.adb', contents }], 'compile'), 'stderr');
    expect(shown).toMatch(/main\.adb:6:\d+: error: missing string quote/);
    expect(shown).not.toMatch(/main\.adc|restrictions\.adc|GNAT-TEMP/);
  });

  it('keeps a SUB character that the program writes', async () => {
    expect(linesOf(await run(c('  puts("a\\x1a");')))).toEqual(['stdout: a\u001a']);
  });
});
