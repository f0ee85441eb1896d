/** Tasks of many kinds with their complete correct answers. */
import type { OutputItem } from '@code-widgets/protocol';

import type { RunRequest } from '../helpers/client.js';
import { createRandom } from './random.js';

/** Worker settings that the answers below assume. */
export const TASK_SETTINGS = { RUN_LIMIT_MS: '8000', OUTPUT_LIMIT_BYTES: '65536' };

export interface ChaosTask {
  readonly number: number;
  readonly kind: string;
  readonly request: RunRequest;
  /** The complete stdout, if it is known. */
  readonly stdout?: string | undefined;
  /** Describes the error in an undisturbed attempt's answer; undefined if it is correct. */
  readonly check: (answer: Answer) => string | undefined;
}

export interface Answer {
  readonly items: readonly OutputItem[];
  readonly status: number;
  readonly message: string;
}

const BUILT = 'Build completed successfully.';
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
const c = (body: string, head = '') => [
  { basename: 'main.c', contents: `#include <stdio.h>\n#include <unistd.h>\n${head}int main(void) { ${body} }\n` },
];
const ada = (body: string, withs = '') => [
  {
    basename: 'p.adb',
    contents: `with Ada.Text_IO; use Ada.Text_IO;\n${withs}procedure P is\nbegin\n${body}\nend P;\n`,
  },
];

interface Expected {
  status: number;
  stdout?: string;
  /** Must be contained in the output. */
  stderr?: string;
}

interface Kind {
  readonly kind: string;
  /** Percentage of all tasks. */
  readonly share: number;
  readonly make: (n: number) => { request: RunRequest; check?: ChaosTask['check'] } & Expected;
}

const run = (files: RunRequest['files'], more: Partial<RunRequest> = {}): RunRequest => ({
  mode: 'run',
  files,
  ...more,
});

/** `n` is in each program and its output, so that no answer can be confused with another. */
const KINDS: readonly Kind[] = [
  {
    kind: 'hello',
    share: 30,
    make: (n) => ({ request: run(ada(`   Put_Line ("hello ${n}");`)), status: 0, stdout: `${BUILT}hello ${n}\n` }),
  },
  {
    kind: 'slow lines',
    share: 25,
    make: (n) => ({
      request: run(
        c(
          `for (int i = 1; i <= 25; i++) { printf("${n}:%d\\n", i); fflush(stdout); usleep(120000); } return ${n % 120};`,
        ),
      ),
      status: n % 120,
      stdout:
        BUILT +
        numbers(25)
          .map((i) => `${n}:${i}\n`)
          .join(''),
    }),
  },
  {
    kind: 'many lines',
    share: 10,
    make: (n) => ({
      request: run(ada(`   for I in 1 .. 2_000 loop\n      Put_Line ("${n}:" & I'Image);\n   end loop;`)),
      status: 0,
      stdout:
        BUILT +
        numbers(2000)
          .map((i) => `${n}: ${i}\n`)
          .join(''),
    }),
  },
  {
    kind: 'compile error',
    share: 10,
    make: (n) => ({
      request: run(ada(`   Missing_${n};`), { mode: 'compile' }),
      status: 4,
      stderr: `"Missing_${n}" is undefined`,
    }),
  },
  {
    kind: 'exception',
    share: 5,
    make: (n) => ({
      request: run(ada(`   Put_Line ("before ${n}");\n   raise Constraint_Error with "number ${n}";`)),
      status: 1,
      stdout: `${BUILT}before ${n}\n`,
      stderr: `number ${n}`,
    }),
  },
  {
    kind: 'lab',
    share: 10,
    make: (n) => {
      const lab = `in 1: ${n}\nout 1:${n}\nin 2: ${n}\nout 2:${n + 1}\n`;
      const files = ada('   Put_Line (Ada.Command_Line.Argument (1));', 'with Ada.Command_Line;\n');
      return {
        request: run([...files, { basename: 'lab_io.txt', contents: lab }], { mode: 'submit' }),
        status: 0,
        check: ({ items }) => {
          const verdicts = items.flatMap(({ msg }) => (msg.type === 'lab' ? [msg.data] : []));
          const [verdict] = verdicts;
          if (verdicts.length !== 1 || verdict === undefined) return `${verdicts.length} verdicts`;
          const words = `${verdict.success} ${verdict.cases['1']?.status} ${verdict.cases['2']?.status}`;
          return words === 'false Success Failed' ? undefined : `the verdict ${words}`;
        },
      };
    },
  },
  {
    kind: 'time limit',
    share: 3,
    make: (n) => ({
      request: run(c(`printf("waits ${n}\\n"); fflush(stdout); for (;;) pause();`)),
      status: 124,
      stdout: `${BUILT}waits ${n}\n`,
      stderr: 'Maximum 8s process limit reached.',
    }),
  },
  {
    kind: 'output limit',
    share: 4,
    make: (n) => ({
      request: run(c(`for (;;) puts("flood ${n}");`)),
      status: 153,
      stderr: 'Maximum 64 KiB output limit reached.',
    }),
  },
  {
    kind: 'killed by itself',
    share: 3,
    make: (n) => ({
      request: run(c(`printf("${n}\\n"); fflush(stdout); raise(SIGSEGV);`, '#include <signal.h>\n')),
      status: 139,
      stdout: `${BUILT}${n}\n`,
    }),
  },
];

/** Tasks 1 to `count`, of kinds chosen by the seed. */
export function makeTasks(count: number, seed: number): ChaosTask[] {
  const random = createRandom(seed);
  const bag = KINDS.flatMap((kind) => Array.from({ length: kind.share }, () => kind));
  return numbers(count).map((number) => {
    const { kind, make } = random.pick(bag);
    const { request, check, ...expected } = make(number);
    return {
      number,
      kind,
      request,
      stdout: expected.stdout,
      check: (answer) => differenceFrom(expected, answer) ?? check?.(answer),
    };
  });
}

export const textOf = (items: readonly OutputItem[], type: 'console' | 'stdout' | 'stderr') =>
  items.map(({ msg }) => (msg.type === type ? msg.data : '')).join('');

function differenceFrom({ status, stdout, stderr }: Expected, answer: Answer): string | undefined {
  const [out, err] = [textOf(answer.items, 'stdout'), textOf(answer.items, 'stderr')];
  if (answer.message !== 'SUCCESS') return `the end ${answer.message}`;
  if (answer.status !== status) return `status ${answer.status}, not ${status}: ${err.slice(-200)}`;
  if (stdout !== undefined && out !== stdout)
    return `stdout ${JSON.stringify(out.slice(-200))}, not ${JSON.stringify(stdout.slice(-200))}`;
  if (stderr !== undefined && !err.includes(stderr)) return `stderr ${JSON.stringify(err.slice(-200))}`;
  return undefined;
}
