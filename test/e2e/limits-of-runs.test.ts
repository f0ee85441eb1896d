/**
 * The limits of a run, reached and nearly reached, with their messages and statuses. The proof limit is in
 * prove.test.ts, the output limits are in limits-of-output.test.ts.
 */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';

import { text, verdict } from '../helpers/client.js';
import { deploy, type Deployment } from '../helpers/deployment.js';
import { ada, c, GREETING, lab, runMs, runTogether, sayHello, type RunTogether } from '../helpers/programs.js';

jest.setTimeout(60_000);

const GOOD = { status: 0, message: 'SUCCESS', stderr: '' };

/** A string of 10 ** 9 parts, which exhausts the compiler's memory. */
const vast = `#define A0 "x"\n${Array.from({ length: 9 }, (_, i) => `#define A${i + 1}${` A${i}`.repeat(10)}\n`).join('')}char s[] = A9;\nint main(void) { return 0; }\n`;

/** Loops that keep a compiler busy for minutes with little memory. */
const slow = `constexpr int spin(int n) {
  for (int i = 0; i < 1000; i++) for (int j = 0; j < 4000; j++) n ^= i + j;
  return n;
}\n${Array.from({ length: 500 }, (_, i) => `constexpr int v${i} = spin(${i});\n`).join('')}int main() { return 0; }\n`;

describe('with the limits of the contract', () => {
  const touch = (mib: number) =>
    `  for (int i = 0; i < ${mib}; i++) memset(malloc(1 << 20), 1, 1 << 20);\n  puts("touched");\n`;
  const write = (mib: number) => `  static char block[1 << 20]; FILE *f = fopen("big", "w"); setbuf(f, NULL);
  for (int i = 0; i < ${mib}; i++) if (fwrite(block, 1, sizeof block, f) != sizeof block) { printf("%d MiB, then %m\\n", i); return 7; }
  puts("written"); fflush(stdout);\n`;
  const threads = (most: number) => {
    const body = `  pthread_t t; int n = 0, fault = 0;
  while (n < ${most} && (fault = pthread_create(&t, NULL, nap, NULL)) == 0) n++;
  printf("%d threads, %s\\n", n, strerror(fault)); return 0;`;
    return c(body, 'static void *nap(void *x) { pause(); return x; }');
  };
  const adaTasks = (count: number) =>
    ada(
      `   declare\n      Sleepers : array (1 .. ${count}) of Sleeper;\n   begin\n      Put_Line ("begun" & Integer'Image (Sleepers'Length));\n   end;
exception\n   when Tasking_Error => Put_Line ("refused");`,
      '   task type Sleeper;\n   task body Sleeper is\n   begin\n      delay 0.5;\n   end Sleeper;',
    );
  const adaFile = (kib: number) =>
    ada(
      `   Create (F, Out_File, "big");\n   for I in 1 .. ${kib} loop\n      Put_Line (F, S);\n   end loop;\n   Close (F);\n   Put_Line ("written");
exception\n   when Device_Error => Put_Line ("no room");`,
      "   F : File_Type;\n   S : constant String := (1 .. 1023 => 'x');",
    );
  const adaHeap = (mib: number) =>
    ada(
      `   for I in 1 .. ${mib} loop\n      T := new String'(1 .. 2 ** 20 => 'x');\n   end loop;\n   Put_Line (T (1) & "");`,
      '   type Text is access String;\n   T : Text;',
    );

  const programs = {
    'sleeps for 20 s': { files: [ada('   Put_Line ("before");\n   delay 20.0;\n   Put_Line ("after");')] },
    'sleeps for 9 s': { files: [ada('   delay 9.0;\n   Put_Line ("awake");')] },
    'sleeps in a lab case': {
      mode: 'submit',
      files: [
        ada(
          '   if Argument (1) = "stay" then\n      delay 20.0;\n   end if;\n   Put_Line (Argument (1));',
          '',
          'Ada.Command_Line',
        ),
        lab([
          ['stay', 'stay'],
          ['go', 'go'],
        ]),
      ],
    },
    'takes 400 MiB': { files: [c(`  puts("hungry"); fflush(stdout);\n${touch(400)}  return 0;`)] },
    'takes 400 MiB in Ada': { files: [adaHeap(400)] },
    'takes 235 MiB': { files: [c(`${touch(235)}  return 0;`)] },
    'takes 200 MiB in Ada': { files: [adaHeap(200)] },
    'takes 235 MiB beside 30 MiB in a file': { files: [c(`${write(30)}${touch(235)}  return 0;`)] },
    'takes too much to compile': { files: [{ basename: 'main.c', contents: vast }] },
    'starts 1000 threads': { files: [threads(1000)] },
    'starts 80 threads': { files: [threads(80)] },
    'starts 200 Ada tasks': { files: [adaTasks(200)] },
    'starts 80 Ada tasks': { files: [adaTasks(80)] },
    'writes 40 MiB': { files: [c(`${write(40)}  return 0;`)] },
    'writes 31 MiB': { files: [c(`${write(31)}  return 0;`)] },
    'writes 40 MiB in Ada': { files: [adaFile(40 * 1024)] },
    'writes 31 MiB in Ada': { files: [adaFile(31 * 1024)] },
  };

  let service: Deployment;
  let results: Record<keyof typeof programs, RunTogether>;
  beforeAll(async () => {
    // Four at a time on two cores: a program needs a second of a core to fill its memory.
    service = await deploy();
    results = await runTogether(service.base, programs);
  }, 240_000);
  afterAll(() => service.end(), 60_000);

  it('a program may run for 10 s', () => {
    const stderr = '<interrupted> : Maximum 10s process limit reached.';
    expect(results['sleeps for 20 s']).toMatchObject({ stdout: 'before\n', stderr, status: 124, message: 'SUCCESS' });
    expect(results['sleeps for 9 s']).toMatchObject({ ...GOOD, stdout: 'awake\n' });
  });

  it('each lab case has its own time limit, and later cases still run', () => {
    const result = results['sleeps in a lab case'];
    expect(result).toMatchObject({ status: 0, message: 'SUCCESS' });
    expect(result.output.filter(({ msg }) => msg.type === 'stderr')).toEqual([
      { msg: { type: 'stderr', data: '<interrupted> : Maximum 10s process limit reached.' }, ref: '1' },
    ]);
    expect(verdict(result)).toMatchObject({
      success: false,
      cases: { 1: { status: 'Failed' }, 2: { status: 'Success' } },
    });
  });

  it('a container has 256 MiB of memory, including its files', () => {
    const stderr = '<interrupted> : Maximum 256 MiB memory limit reached.';
    expect(results['takes 400 MiB']).toMatchObject({ stdout: 'hungry\n', stderr, status: 137, message: 'SUCCESS' });
    expect(results['takes 400 MiB in Ada']).toMatchObject({ stdout: '', stderr, status: 137, message: 'SUCCESS' });
    expect(results['takes 235 MiB']).toMatchObject({ ...GOOD, stdout: 'touched\n' });
    expect(results['takes 200 MiB in Ada']).toMatchObject({ ...GOOD, stdout: 'x\n' });
    expect(results['takes 235 MiB beside 30 MiB in a file']).toMatchObject({
      stdout: 'written\n',
      stderr,
      status: 137,
    });
  });

  it('a build has the same memory limit', () => {
    const result = results['takes too much to compile'];
    expect(result).toMatchObject({ status: 137, message: 'SUCCESS' });
    expect(result.stderr).toMatch(
      /<interrupted> : Maximum 256 MiB memory limit reached\.Build failed with error code: 137$/,
    );
    expect(text(result, 'console')).not.toContain('./main');
  });

  it('a program may have 100 processes and threads, and handles the refusal itself', () => {
    // The launcher and the main thread count too.
    expect(results['starts 1000 threads']).toMatchObject({
      ...GOOD,
      stdout: '98 threads, Resource temporarily unavailable\n',
    });
    expect(results['starts 80 threads']).toMatchObject({ ...GOOD, stdout: '80 threads, Success\n' });
    expect(results['starts 200 Ada tasks']).toMatchObject({ ...GOOD, stdout: 'refused\n' });
    expect(results['starts 80 Ada tasks']).toMatchObject({ ...GOOD, stdout: 'begun 80\n' });
  });

  it('a program may write 32 MiB into files in total', () => {
    const full = results['writes 40 MiB'];
    expect(full).toMatchObject({
      stdout: '32 MiB, then No space left on device\n',
      stderr: '',
      status: 7,
      message: 'SUCCESS',
    });
    expect(results['writes 31 MiB']).toMatchObject({ ...GOOD, stdout: 'written\n' });
    expect(results['writes 40 MiB in Ada']).toMatchObject({ ...GOOD, stdout: 'no room\n' });
    expect(results['writes 31 MiB in Ada']).toMatchObject({ ...GOOD, stdout: 'written\n' });
  });

  it('the service still answers', async () => {
    expect(await sayHello(service.base)).toEqual(GREETING);
  });
});

describe('a program that resists its timeout', () => {
  const LIMIT_MS = 2000;
  /** Time for the end of the container, the queue and two polls, on a busy machine. */
  const SLACK_MS = 1500;
  const waits = (body: string, before = '') => ({
    files: [c(`  puts("up"); fflush(stdout);\n${body}\n  for (;;) pause();`, before)],
  });
  const stubborn = {
    'stops itself': waits('  raise(SIGSTOP);'),
    'stops its group': waits('  kill(0, SIGSTOP);'),
    'stops its parent': waits('  printf("%d %m\\n", kill(getppid(), SIGSTOP)); fflush(stdout);'),
    'stops all processes': waits('  printf("%d %m\\n", kill(-1, SIGSTOP)); fflush(stdout);'),
    'closes its output': waits('  close(0); close(1); close(2);'),
    'leaves its threads running': waits(
      '  pthread_t t; pthread_create(&t, NULL, nap, NULL); pthread_exit(NULL);',
      'static void *nap(void *x) { for (;;) pause(); }',
    ),
    'blocks and ignores all signals': waits(
      '  sigset_t all; sigfillset(&all); sigprocmask(SIG_SETMASK, &all, NULL);\n  for (int i = 1; i < 65; i++) signal(i, SIG_IGN);',
    ),
  };
  /** Kernel responses to attempts to stop other processes. */
  const ANSWERS: Partial<Record<keyof typeof stubborn, string>> = {
    'stops its parent': '-1 Operation not permitted\n',
    'stops all processes': '-1 No such process\n',
  };
  const ended = {
    'ends beside a running thread': {
      files: [
        c(
          '  pthread_t t; pthread_create(&t, NULL, nap, NULL); puts("done"); return 3;',
          'static void *nap(void *x) { for (;;) pause(); }',
        ),
      ],
    },
    'stops itself in a lab case': {
      mode: 'submit',
      files: [
        c('  if (!strcmp(argv[1], "stop")) raise(SIGSTOP);\n  puts(argv[1]); return 0;'),
        lab([
          ['stop', 'stop'],
          ['go', 'go'],
        ]),
      ],
    },
  };

  let service: Deployment;
  let results: Record<keyof typeof stubborn | keyof typeof ended, RunTogether>;
  beforeAll(async () => {
    service = await deploy({ env: { CONCURRENCY: '4', RUN_LIMIT_MS: String(LIMIT_MS) } });
    results = await runTogether(service.base, { ...stubborn, ...ended });
  }, 120_000);
  afterAll(() => service.end(), 60_000);

  it.each(Object.keys(stubborn) as (keyof typeof stubborn)[])('ends at its limit if it %s', async (name) => {
    const { stdout, stderr, status, message, afterOutputMs, identifier } = results[name];
    expect({ stdout, stderr, status, message }).toEqual({
      stdout: `up\n${ANSWERS[name] ?? ''}`,
      stderr: '<interrupted> : Maximum 2s process limit reached.',
      status: 124,
      message: 'SUCCESS',
    });
    expect(afterOutputMs).toBeLessThan(LIMIT_MS + SLACK_MS);
    const ranMs = await runMs(service, identifier);
    expect(ranMs).toBeGreaterThanOrEqual(LIMIT_MS);
    expect(ranMs).toBeLessThan(LIMIT_MS + 500);
  });

  it('ends in a lab case, and the next case runs', () => {
    expect(verdict(results['stops itself in a lab case'])).toMatchObject({
      cases: { 1: { actual: '', status: 'Failed' }, 2: { status: 'Success' } },
    });
  });

  it('ends with its main thread, even if another thread still runs', () => {
    expect(results['ends beside a running thread']).toMatchObject({ stdout: 'done\n', stderr: '', status: 3 });
  });

  it('leaves the service working', async () => {
    expect(await sayHello(service.base)).toEqual(GREETING);
  });
});

describe('with limits that an operator has set', () => {
  let service: Deployment;
  beforeAll(async () => {
    service = await deploy({
      widgets: 1,
      workers: 1,
      env: { BUILD_LIMIT_MS: '4000', RUN_LIMIT_MS: '2500', TASK_LIMIT_MS: '7500' },
    });
  }, 60_000);
  afterAll(() => service.end(), 60_000);

  it('a build ends at its time limit, and nothing runs after it', async () => {
    const { result } = await runTogether(service.base, {
      result: { files: [{ basename: 'main.cpp', contents: slow }] },
    });
    expect(result).toMatchObject({ stdout: '', status: 124, message: 'SUCCESS' });
    expect(result.stderr).toBe('<interrupted> : Maximum 4s build limit reached.Build failed with error code: 124');
    expect(text(result, 'console')).toBe('gprbuild -q -P main.gpr');
  });

  it('a task ends at its time limit: the running case and the remaining cases fail', async () => {
    const body =
      '   Put_Line (Argument (1));\n   Flush;\n   if Argument (1) /= "go" then\n      delay 2.0;\n   end if;';
    const cases: [string, string][] = [
      ['go', 'go'],
      ...Array.from({ length: 5 }, (): [string, string] => ['stay', 'stay']),
    ];
    const { result } = await runTogether(service.base, {
      result: { mode: 'submit', files: [ada(body, '', 'Ada.Command_Line'), lab(cases)] },
    });
    expect(result).toMatchObject({ status: 124, message: 'SUCCESS' });
    const said = result.output.filter(({ msg }) => msg.type === 'stderr');
    expect(said).toEqual([
      {
        msg: { type: 'stderr', data: '<interrupted> : Maximum 7.5s task limit reached.' },
        ref: expect.stringMatching(/^[2-5]$/),
      },
    ]);
    expect(verdict(result)).toMatchObject({
      success: false,
      cases: { 1: { status: 'Success' }, 6: { actual: '', status: 'Failed' } },
    });
    expect(result.output.filter(({ msg }) => msg.type === 'console').at(-1)?.ref).toBe(said[0]?.ref);
  });

  it('the service completes a program below these limits', async () => {
    expect(await sayHello(service.base)).toEqual(GREETING);
  });
});
