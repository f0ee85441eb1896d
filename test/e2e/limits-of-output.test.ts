/** The limits of a program's output, and the cost of a flood in worker memory and client time. */
import { readFileSync, writeFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { OutputItem } from '@code-widgets/protocol';

import { verdict, type RunRequest } from '../helpers/client.js';
import { deploy, type Deployment } from '../helpers/deployment.js';
import { c, GREETING, HELLO, lab, runMs, runTogether, sayHello, type RunTogether } from '../helpers/programs.js';

jest.setTimeout(60_000);

const KIB = 1024;
const MIB = 1024 * KIB;
const WORDS = '<interrupted> : Maximum 1 MiB output limit reached.';
const BUILT = 'Build completed successfully.';

/** Writes this many bytes to a descriptor, in lines of 64 bytes. */
const LINES = `static void lines(int fd, long bytes) {
  char line[64]; memset(line, 'x', 63); line[63] = '\\n';
  for (; bytes > 0; bytes -= 64) if (write(fd, line, bytes < 64 ? bytes : 64) < 0) exit(9);
}`;
const linesOf = (bytes: number) => `${'x'.repeat(63)}\n`.repeat(bytes / 64);
const writes = (body: string): Partial<RunRequest> => ({ files: [c(`${body}\n  return 0;`, LINES)] });
const submits = (body: string, cases: [string, string][]): Partial<RunRequest> => ({
  mode: 'submit',
  files: [c(`${body}\n  return 0;`, LINES), lab(cases)],
});
const textItems = ({ output }: RunTogether, type: 'stdout' | 'stderr') =>
  output.flatMap(({ msg }: OutputItem) => (msg.type === type && msg.data !== BUILT ? [msg.data] : []));

describe('with the limits of the contract', () => {
  const programs = {
    'writes 1 MiB': writes(`  lines(1, ${MIB});`),
    'writes 1 MiB and a byte': writes(`  lines(1, ${MIB + 1});`),
    'writes 1 MiB to both': writes(`  lines(1, ${MIB / 2}); lines(2, ${MIB / 2});`),
    'writes 1 MiB and a byte to both': writes(
      `  lines(1, ${MIB / 2}); lines(2, ${MIB / 2}); usleep(300000); write(1, "!", 1); usleep(300000); puts("late");`,
    ),
    'writes 1 MiB in its cases': submits(`  lines(1, atoi(argv[1]));`, [
      [String(512 * KIB), ''],
      [String(512 * KIB), ''],
    ]),
    'writes too much in its cases': submits('  lines(1, atoi(argv[1])); puts("end");', [
      [String(600 * KIB), ''],
      ['0', 'end'],
      [String(600 * KIB), ''],
      ['0', 'end'],
    ]),
    'writes a line of 64 KiB': writes(`  for (int i = 0; i < ${64 * KIB}; i++) putchar('x');`),
    'writes a line of 64 KiB and a byte': writes(`  for (int i = 0; i < ${64 * KIB + 1}; i++) putchar('x');`),
    'writes a long line of long characters': writes(
      `  putchar('x'); for (int i = 0; i < 100000; i++) fputs("\\u20ac", stdout);\n  puts("");`,
    ),
    'names its folder where a line is cut': writes(
      `  for (int i = 0; i < ${64 * KIB - 6}; i++) putchar('x');\n  puts("/workspace/sessions/where.c");`,
    ),
  };

  let service: Deployment;
  let results: Record<keyof typeof programs, RunTogether>;
  beforeAll(async () => {
    service = await deploy({ env: { CONCURRENCY: '4' } });
    results = await runTogether(service.base, programs);
  }, 120_000);
  afterAll(() => service.end(), 60_000);

  it('a task may write 1 MiB', () => {
    expect(results['writes 1 MiB'].stdout).toBe(linesOf(MIB));
    expect(results['writes 1 MiB']).toMatchObject({ stderr: '', status: 0, message: 'SUCCESS' });
    expect(results['writes 1 MiB and a byte'].stdout).toBe(linesOf(MIB));
    expect(results['writes 1 MiB and a byte']).toMatchObject({ stderr: WORDS, status: 153, message: 'SUCCESS' });
  });

  it('stdout and stderr count against the same limit', () => {
    const half = linesOf(MIB / 2);
    const within = results['writes 1 MiB to both'];
    expect([within.status, within.stdout === half, within.stderr === half]).toEqual([0, true, true]);
    const over = results['writes 1 MiB and a byte to both'];
    expect([over.status, over.stdout === half, over.stderr === half + WORDS]).toEqual([153, true, true]);
  });

  it('lab cases share the limit, and no case runs after it is reached', () => {
    expect(results['writes 1 MiB in its cases']).toMatchObject({ stderr: '', status: 0 });
    const over = results['writes too much in its cases'];
    expect(over).toMatchObject({ stderr: WORDS, status: 153, message: 'SUCCESS' });
    expect(over.stdout).toHaveLength(MIB);
    expect(over.output.find(({ msg }) => msg.type === 'stderr')?.ref).toBe('3');
    const cases = verdict(over)?.cases ?? {};
    expect(Object.values(cases).map(({ status }) => status)).toEqual(['Failed', 'Success', 'Failed', 'Failed']);
    expect(cases[4]?.actual).toBe('');
  });

  it('a line without an end is sent in parts of 64 KiB', () => {
    const lengths = (name: keyof typeof programs) =>
      textItems(results[name], 'stdout').map((part) => Buffer.byteLength(part));
    expect(lengths('writes a line of 64 KiB')).toEqual([64 * KIB]);
    expect(lengths('writes a line of 64 KiB and a byte')).toEqual([64 * KIB, 1]);
    // Whole characters only: 1 + 3 * 21845 bytes, then 3 * 21845 each.
    expect(lengths('writes a long line of long characters')).toEqual([65536, 65535, 65535, 65535, 37861]);
    expect(results['writes a long line of long characters'].stdout).toBe(`x${'\u20ac'.repeat(100_000)}\n`);
    expect(results['names its folder where a line is cut'].stdout).toBe(`${'x'.repeat(64 * KIB - 6)}where.c\n`);
  });

  it('the service still answers', async () => {
    expect(await sayHello(service.base)).toEqual(GREETING);
  });
});

describe('a flood', () => {
  /** More than any flood below writes before its end. */
  const FLOOD = `long left = 1L << 30;\n  static char block[${64 * KIB}];`;
  const flood = (fill: string, write: string) =>
    `  ${FLOOD}\n  ${fill}\n  while (left > 0) { ${write} left -= sizeof block; }`;
  const LINE_FILL = "for (int i = 0; i < sizeof block; i++) block[i] = i % 64 == 63 ? '\\n' : 'x';";
  const floods: Record<string, Partial<RunRequest>> = {
    'of lines': writes(flood(LINE_FILL, 'write(1, block, sizeof block);')),
    'of errors': writes(flood(LINE_FILL, 'write(2, block, sizeof block);')),
    'of both': writes(flood(LINE_FILL, 'write(1, block, sizeof block); write(2, block, sizeof block);')),
    'of one endless line': writes(flood("memset(block, 'x', sizeof block);", 'write(1, block, sizeof block);')),
    'of empty lines': writes(flood("memset(block, '\\n', sizeof block);", 'write(1, block, sizeof block);')),
    'of NULs': writes(flood('', 'write(1, block, sizeof block);')),
    'of bytes that are no UTF-8': writes(flood('memset(block, 0xff, sizeof block);', 'write(1, block, sizeof block);')),
    'of single bytes': writes(
      '  for (long left = 1L << 30; left > 0; left--) write(left & 1 ? 1 : 2, left & 2 ? "x" : "\\n", 1);',
    ),
    'in a lab case': submits(flood('', 'write(1, block, sizeof block);'), [
      ['', 'x'],
      ['', 'y'],
    ]),
  };
  const MOST_MEMORY_KIB = 64 * KIB;
  const MOST_MS = 2000;

  let service: Deployment;
  let pid: number;
  /** Time of a program with almost no output: its container's creation and end. */
  let ordinaryMs: number;
  beforeAll(async () => {
    service = await deploy({ widgets: 1, workers: 1 });
    pid = service.workers[0]?.pid ?? 0;
    ordinaryMs = (await measure({ files: [HELLO] })).aroundMs;
  }, 60_000);
  afterAll(() => service.end(), 60_000);

  async function measure(request: Partial<RunRequest>): Promise<{ result: RunTogether; aroundMs: number }> {
    const { result } = await runTogether(service.base, { result: request });
    return { result, aroundMs: result.afterAnnouncementMs - (await runMs(service, result.identifier)) };
  }
  const memoryKib = (name: 'VmRSS' | 'VmHWM') =>
    Number(new RegExp(`${name}:\\s*(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

  it.each(Object.keys(floods))(
    '%s ends within two seconds of the limit and costs the worker less than 64 MiB',
    async (name) => {
      // Resets the peak memory count.
      writeFileSync(`/proc/${pid}/clear_refs`, '5');
      const beforeKib = memoryKib('VmRSS');
      const { result, aroundMs } = await measure(floods[name] ?? {});
      expect(memoryKib('VmHWM') - beforeKib).toBeLessThan(MOST_MEMORY_KIB);
      expect(aroundMs - ordinaryMs).toBeLessThan(MOST_MS);
      expect(result).toMatchObject({ status: 153, message: 'SUCCESS' });
      expect(result.stderr.endsWith(WORDS)).toBe(true);
      expect([...result.stdout, ...result.stderr]).toHaveLength(MIB + WORDS.length);
    },
  );

  it('leaves the service working', async () => {
    expect(await sayHello(service.base)).toEqual(GREETING);
  });
});
