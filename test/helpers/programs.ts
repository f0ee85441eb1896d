/** Sources of small programs, and concurrent runs of many programs. */

import type { Deployment } from './deployment.js';
import { collect, runProgram, submit, text, type RunRequest, type RunResult } from './client.js';

type Source = RunRequest['files'][number];

/** `declarations` go between `is` and `begin`; `more` are packages besides Ada.Text_IO. */
export const ada = (body: string, declarations = '', ...more: string[]): Source => {
  const context = ['Ada.Text_IO', ...more].map((name) => `with ${name}; use ${name};\n`).join('');
  return {
    basename: 'main.adb',
    contents: `${context}procedure Main is\n${declarations}\nbegin\n${body}\nend Main;\n`,
  };
};

const HEADERS = ['errno', 'pthread', 'signal', 'stdio', 'stdlib', 'string', 'unistd']
  .map((name) => `#include <${name}.h>\n`)
  .join('');

/** `before` goes before main. */
export const c = (body: string, before = ''): Source => ({
  basename: 'main.c',
  contents: `${HEADERS}${before}\nint main(int argc, char **argv) {\n${body}\n}\n`,
});

/** lab_io.txt with these cases, whose keys are 1, 2, ... */
export const lab = (cases: [words: string, out: string][]): Source => ({
  basename: 'lab_io.txt',
  contents: cases.map(([words, out], i) => `in ${i + 1}: ${words}\nout ${i + 1}:${out}\n`).join(''),
});

/** The message for a successful build, as an item without a line end. */
const BUILT = 'Build completed successfully.';
export const HELLO = ada('   Put_Line ("hello");');

export interface Outcome {
  /** Output of the program only. */
  stdout: string;
  /** Output of the program and messages of the service. */
  stderr: string;
  status: number;
  message: string;
}

export interface RunTogether extends RunResult, Outcome {
  /** Milliseconds between the program's first output and the task's end, as a client sees them. */
  afterOutputMs: number;
  /** The same time since the announcement of the program, which precedes its container's creation. */
  afterAnnouncementMs: number;
}

export const outcome = (result: RunResult): Outcome => ({
  stdout: text(result, 'stdout').replace(BUILT, ''),
  stderr: text(result, 'stderr'),
  status: result.status,
  message: result.message,
});

/** The answer of a working service. */
export async function sayHello(base: string): Promise<Outcome> {
  return outcome(await runProgram(base, { mode: 'run', files: [HELLO] }));
}
export const GREETING: Outcome = { stdout: 'hello\n', stderr: '', status: 0, message: 'SUCCESS' };

/** Runs programs concurrently, by default in mode `run`; resolves when all have ended. */
export async function runTogether<Name extends string>(
  base: string,
  requests: Record<Name, Partial<RunRequest>>,
): Promise<Record<Name, RunTogether>> {
  const runs = Object.entries<Partial<RunRequest>>(requests).map(
    async ([name, request]) => [name, await runTimed(base, request)] as const,
  );
  return Object.fromEntries(await Promise.all(runs)) as Record<Name, RunTogether>;
}

async function runTimed(base: string, request: Partial<RunRequest>): Promise<RunTogether> {
  const identifier = await submit(base, { mode: 'run', files: [], ...request });
  let announcedMs: number | undefined;
  let beganMs: number | undefined;
  const result = await collect(base, identifier, {
    onAnswer({ output }) {
      for (const { msg } of output) {
        if (msg.type === 'console' && msg.data.startsWith('./')) announcedMs ??= performance.now();
        else if (announcedMs !== undefined) beganMs ??= performance.now();
      }
    },
  });
  const endMs = performance.now();
  return {
    ...result,
    ...outcome(result),
    afterOutputMs: endMs - (beganMs ?? endMs),
    afterAnnouncementMs: endMs - (announcedMs ?? endMs),
  };
}

/** The run time in ms of a finished task's program, from the worker's log. */
export async function runMs(service: Deployment, identifier: string): Promise<number> {
  return Number((await service.lineOfEnd(identifier)).runMs);
}
