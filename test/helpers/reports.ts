/** Programs from public bug reports of similar services, with their expected output. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import type { OutputItem } from '@code-widgets/protocol';

import { poll, submit, type RunRequest } from './client.js';

export interface Report {
  readonly name: string;
  /** Where the report was made. */
  readonly source: string;
  readonly request: RunRequest;
  readonly expect: Expectation;
  /** Number of runs, each of which must pass. */
  readonly repeat?: number;
  /** Adds a comment to the first file each time, so that no cached build is used. */
  readonly vary?: boolean;
}

/** `<type>: <regular expression>`; the type `any` matches a line of any type. */
type LinePattern = string;

export interface Expectation {
  /** The task's exit status. */
  readonly status?: number;
  readonly notStatus?: number;
  /** Lines in this order, with any others between them. */
  readonly lines?: readonly LinePattern[];
  /** This many lines of each of the two, strictly alternating, starting with the first. */
  readonly alternate?: readonly [first: LinePattern, second: LinePattern, each: number];
  /** A regular expression that no line matches. */
  readonly never?: string;
  /** Time limit in ms for the program's first output. */
  readonly firstStdoutMs?: number;
  /** The actual outputs in the lab item. */
  readonly labActual?: Readonly<Record<string, string>>;
  readonly labSuccess?: boolean;
  readonly noLabSuccess?: boolean;
}

const FOLDER = new URL('../fixtures/reports/', import.meta.url);
const POLL_MS = 100;
const RUN_MS = 60_000;

export function loadReports(): Report[] {
  const files = readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .sort();
  return files.map((file) => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Report);
}

interface Shown {
  readonly output: readonly OutputItem[];
  readonly status: number;
  /** Undefined if the program wrote nothing. */
  readonly firstStdoutMs?: number;
}

/** Runs a report's program and describes the differences; empty if it passes. */
export async function faultsOfReport(
  base: string,
  { request, expect, repeat = 1, vary = false }: Report,
): Promise<string[]> {
  const faults = new Set<string>();
  for (let run = 0; run < repeat; run++) {
    const shown = await play(base, vary ? varied(request, run) : request);
    for (const fault of faultsOf(shown, expect)) faults.add(fault);
  }
  return [...faults];
}

const COMMENTS: Readonly<Record<string, string>> = { adb: '--', ads: '--' };

function varied(request: RunRequest, run: number): RunRequest {
  const [first, ...rest] = request.files;
  if (first === undefined) return request;
  const comment = COMMENTS[first.basename.split('.').at(-1) ?? ''] ?? '//';
  return {
    ...request,
    files: [{ ...first, contents: `${first.contents}${comment} ${process.pid} ${run}\n` }, ...rest],
  };
}

async function play(base: string, request: RunRequest): Promise<Shown> {
  const begin = performance.now();
  const identifier = await submit(base, request);
  const output: OutputItem[] = [];
  let firstStdoutMs: number | undefined;
  while (performance.now() - begin < RUN_MS) {
    const answer = await poll(base, identifier, output.length);
    output.push(...answer.output);
    if (answer.output.some(isOfProgram)) firstStdoutMs ??= performance.now() - begin;
    if (answer.completed)
      return { output, status: answer.status, ...(firstStdoutMs !== undefined && { firstStdoutMs }) };
    await sleep(POLL_MS);
  }
  throw new Error(`no end within ${RUN_MS} ms`);
}

const isOfProgram = ({ msg }: OutputItem) => msg.type === 'stdout' && msg.data !== 'Build completed successfully.';

type Line = readonly [type: string, text: string];

/** Describes each violation of `expect`. */
export function faultsOf({ output, status, firstStdoutMs }: Shown, expect: Expectation): string[] {
  const lines: Line[] = output.flatMap(({ msg }) =>
    msg.type === 'lab'
      ? []
      : msg.data
          .replace(/\n$/, '')
          .split('\n')
          .map((text) => [msg.type, text] as const),
  );
  const lab = output.flatMap(({ msg }) => (msg.type === 'lab' ? [msg.data] : [])).at(-1);
  const never = expect.never === undefined ? undefined : new RegExp(expect.never);
  const wrongActual = Object.entries(expect.labActual ?? {}).filter(
    ([key, actual]) => lab?.cases[key]?.actual !== actual,
  );
  const checks: readonly (readonly [holds: boolean, fault: string])[] = [
    [expect.status === undefined || status === expect.status, `status ${status}`],
    [expect.notStatus === undefined || status !== expect.notStatus, `status ${status}`],
    [hasInOrder(lines, expect.lines ?? []), `not these lines in this order: ${expect.lines?.join(', ')}`],
    [
      expect.alternate === undefined || alternates(lines, ...expect.alternate),
      `not in turn: ${expect.alternate?.join(', ')}`,
    ],
    [never === undefined || !lines.some(([, text]) => never.test(text)), `a line matches ${expect.never}`],
    [
      expect.firstStdoutMs === undefined || (firstStdoutMs ?? Infinity) <= expect.firstStdoutMs,
      `first output after ${firstStdoutMs} ms`,
    ],
    [wrongActual.length === 0, `actual is not as expected in case ${wrongActual.map(([key]) => key).join(', ')}`],
    [!expect.labSuccess || lab?.success === true, 'the lab is no success'],
    [!expect.noLabSuccess || lab?.success !== true, 'the lab is a success'],
  ];
  return checks
    .filter(([holds]) => !holds)
    .map(([, fault]) => `${fault}; seen: ${JSON.stringify(lines).slice(0, 1000)}`);
}

function matcher(pattern: LinePattern): (line: Line) => boolean {
  const [, type = '', source = ''] = /^(\w+): (.*)$/s.exec(pattern) ?? [];
  const expression = new RegExp(source);
  return ([lineType, text]) => (type === 'any' || type === lineType) && expression.test(text);
}

function hasInOrder(lines: readonly Line[], patterns: readonly LinePattern[]): boolean {
  let from = 0;
  return patterns.every((pattern) => {
    const index = lines.slice(from).findIndex(matcher(pattern));
    from += index + 1;
    return index >= 0;
  });
}

function alternates(lines: readonly Line[], first: LinePattern, second: LinePattern, each: number): boolean {
  const [isFirst, isSecond] = [matcher(first), matcher(second)];
  const both = lines.filter((line) => isFirst(line) || isSecond(line));
  return both.length === 2 * each && both.every((line, index) => (index % 2 === 0 ? isFirst : isSecond)(line));
}
