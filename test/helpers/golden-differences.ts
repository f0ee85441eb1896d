/** Compares a client's result with a golden case, as far as the frontend can tell them apart. */
import { isDeepStrictEqual } from 'node:util';

import type { OutputItem } from '@code-widgets/protocol';

import type { Expected, Match, Seen } from './golden.js';

/** Members with a plain comparison. */
const PLAIN = ['httpStatus', 'status', 'completed', 'gaveUp', 'message', 'entries'] as const;

export interface CompareOptions {
  /** Ignore the order of stdout and stderr, which gVisor does not keep. */
  readonly streamsApart?: boolean;
  /**
   * Accept status 1 without a message for a memory limit. Under gVisor about one in sixty looks like that: the
   * engine learns of the container's end before the kill (docs/deployment.md).
   */
  readonly memoryLimitUnnoticed?: boolean;
}

const MEMORY_STATUS = 137;

/** The expectation for a memory limit that the engine did not notice. */
function withoutMemoryLimit(expected: Expected<Seen>): Expected<Seen> {
  return { ...expected, status: 1, ...(expected.output && { output: expected.output.slice(0, -1) }) };
}

/**
 * One line for each difference; empty if `seen` matches.
 *
 * Ignores headers and error members that the expectation does not name. Compares text by lines, as the frontend
 * shows it, regardless of items.
 */
export function differences(
  expected: Expected<Seen>,
  seen: Seen,
  { streamsApart = false, memoryLimitUnnoticed = false }: CompareOptions = {},
): string[] {
  if (memoryLimitUnnoticed && expected.status === MEMORY_STATUS && seen.status === 1)
    return differences(withoutMemoryLimit(expected), seen, { streamsApart });
  const isError = Number(expected.status) >= 400 && expected.output === undefined;
  const steps = Math.max(expected.then?.length ?? 0, seen.then?.length ?? 0);
  return [
    ...PLAIN.flatMap((member) => valueDifferences(member, expected[member], seen[member])),
    ...headerDifferences(expected.headers, seen.headers),
    ...bodyDifferences('body', expected.body, seen.body, isError),
    ...outputDifferences(expected.output, seen.output, streamsApart),
    ...(expected.error === undefined
      ? valueDifferences('error', undefined, seen.error)
      : [
          ...headerDifferences(expected.error.headers, seen.error?.headers),
          ...bodyDifferences('error.body', expected.error.body, seen.error?.body, true),
        ]),
    ...Array.from({ length: steps }).flatMap((_, i) => {
      const [wanted, got] = [expected.then?.[i], seen.then?.[i]];
      if (!wanted || !got) return [`then[${i}]: ${wanted ? 'no answer' : 'not expected'}`];
      return differences(wanted, got, { streamsApart }).map((line) => `then[${i}] ${line}`);
    }),
  ];
}

function isMatch(value: unknown): value is Match {
  return typeof value === 'object' && value !== null && '$match' in value;
}

/** The first difference of two values, as `path: expected, seen`. */
function valueDifferences(path: string, expected: unknown, seen: unknown, partly = false): string[] {
  if (isMatch(expected)) {
    const text = typeof seen === 'string' || typeof seen === 'number' ? String(seen) : undefined;
    return text !== undefined && new RegExp(expected.$match).test(text) ? [] : [unlike(path, expected, seen)];
  }
  if (!isTree(expected) || !isTree(seen) || Array.isArray(expected) !== Array.isArray(seen)) {
    return isDeepStrictEqual(expected, seen) ? [] : [unlike(path, expected, seen)];
  }
  const keys = new Set([...Object.keys(expected), ...(partly ? [] : Object.keys(seen))]);
  const found = [...keys].flatMap((key) => valueDifferences(`${path}.${key}`, expected[key], seen[key], partly));
  return found.slice(0, 1);
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function unlike(path: string, expected: unknown, seen: unknown): string {
  const show = (value: unknown) => {
    const text = value === undefined ? 'nothing' : JSON.stringify(value);
    return text.length > 200 ? `${text.slice(0, 200)}…` : text;
  };
  return `${path}: expected ${show(expected)}, saw ${show(seen)}`;
}

function bodyDifferences(path: string, expected: unknown, seen: unknown, partly: boolean): string[] {
  return expected === undefined ? [] : valueDifferences(path, expected, seen, partly);
}

function headerDifferences(expected: Expected<Seen['headers']>, seen: Seen['headers'] = {}): string[] {
  return Object.entries(expected ?? {}).flatMap(([name, value]) => {
    const got = seen[name];
    if (typeof value !== 'string' || got === undefined) return valueDifferences(name, value, got);
    return comparable(name, value) === comparable(name, got) ? [] : [unlike(name, value, got)];
  });
}

/** Ignores media type parameters and the order of lists. */
function comparable(name: string, value: string): string {
  if (name === 'content-type') return value.replace(/;.*/, '');
  if (!/^(allow|access-control-.*)$/.test(name)) return value;
  const items = value.split(',').map((item) => item.trim().toLowerCase());
  return items.sort().join(', ');
}

/** One line of a text stream, a console item or a lab verdict. */
interface Shown {
  readonly stream: string;
  readonly value: unknown;
}

function outputDifferences(expected: Expected<Seen['output']>, seen: Seen['output'], streamsApart: boolean): string[] {
  const arrange = streamsApart ? apart : (lines: Shown[]) => lines;
  const [wanted, got] = [arrange(shown(expected ?? [])), arrange(shown(seen ?? []))];
  for (let i = 0; i < Math.max(wanted.length, got.length); i++) {
    const [a, b] = [wanted[i], got[i]];
    const found = valueDifferences(`output ${i + 1} ${a?.stream ?? b?.stream ?? ''}`, a, b);
    if (found.length > 0) return found;
  }
  return [];
}

/** Moves stderr before stdout between two console items. */
function apart(lines: Shown[]): Shown[] {
  const arranged: Shown[] = [];
  let text: Shown[] = [];
  const close = () => {
    arranged.push(...text.sort((one, other) => one.stream.localeCompare(other.stream)));
    text = [];
  };
  for (const line of lines) {
    if (line.stream.startsWith('std')) {
      text.push(line);
      continue;
    }
    close();
    arranged.push(line);
  }
  close();
  return arranged;
}

/** All lines in order. Blank lines at the end or change of a stream are ignored. */
function shown(output: readonly Expected<OutputItem>[]): Shown[] {
  const lines: Shown[] = [];
  const dropBlanks = () => {
    while (isBlank(lines.at(-1))) lines.pop();
  };
  for (const { msg, ref } of output) {
    const { type, data } = msg as { type: string; data: unknown };
    const stream = ref === undefined ? type : `${type} ref ${JSON.stringify(ref)}`;
    if (lines.at(-1)?.stream !== stream) dropBlanks();
    const isText = type === 'stdout' || type === 'stderr';
    for (const value of isText ? linesOf(data as string | Match) : [data]) lines.push({ stream, value });
  }
  dropBlanks();
  return lines;
}

/** Splits text into lines. An item always ends a line; a pattern stands for one line. */
function linesOf(data: string | Match): (string | Match)[] {
  return isMatch(data) ? [data] : data.replace(/\r?\n$/, '').split(/\r?\n/);
}

function isBlank(line: Shown | undefined): boolean {
  return /^std/.test(line?.stream ?? '') && typeof line?.value === 'string' && line.value.trim() === '';
}
