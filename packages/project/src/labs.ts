/** The cases of lab_io.txt, and the verdict on a program's output. */
import type { LabVerdict } from '@code-widgets/protocol';

import { splitArguments } from './arguments.js';

export const LAB_FILE = 'lab_io.txt';

export interface LabCase {
  /** Digits. Output items of the case have it as their `ref`. */
  readonly key: string;
  /** Words of the `in` line; null if there is none. */
  readonly in: readonly string[] | null;
  /** Text of the `out` line; null if there is none, and then the case fails. */
  readonly out: string | null;
  /** `in`, or the project's arguments if `in` is empty. */
  readonly arguments: readonly string[];
}

/**
 * Cases are in the order of their first lines. Other lines are ignored; of repeated lines the last one counts.
 * @param projectArguments those of cli.txt, for a case with an empty `in`
 */
export function parseLab(text: string, projectArguments: readonly string[]): LabCase[] {
  const found = new Map<string, { in?: string; out?: string }>();
  for (const line of text.replace(/^\uFEFF/, '').split(/\r\n?|\n/)) {
    const [, side, key, value] = /^(in|out)\s*([0-9]+):(.*)$/s.exec(line) ?? [];
    if (key === undefined || value === undefined) continue;
    found.set(key, { ...found.get(key), [side === 'in' ? 'in' : 'out']: value });
  }
  return [...found].map(([key, lines]) => {
    const words = lines.in === undefined ? null : Object.freeze(splitArguments(lines.in));
    return Object.freeze({
      key,
      in: words,
      out: lines.out ?? null,
      arguments: words !== null && words.length > 0 ? words : projectArguments,
    });
  });
}

export function explainMissingCases(hasLabFile: boolean): string {
  const fault = hasLabFile ? `${LAB_FILE} has no case` : `the project has no ${LAB_FILE}`;
  const lines = '"in 1: 2 3" (the arguments) and "out 1:5" (the output, exactly what stands behind the colon)';
  return `There is nothing to submit to: ${fault}. A case is two lines, such as ${lines}.`;
}

/** stdout in the form that is compared with `out`: line ends become spaces, and the end is trimmed. */
export function actualText(stdout: string): string {
  return stdout.replace(/\r?\n/g, ' ').trimEnd();
}

/**
 * The verdict of a submit. Exit statuses do not matter.
 * @param outputs stdout of each case by key; a case without an entry did not run, and fails
 */
export function judge(cases: readonly LabCase[], outputs: ReadonlyMap<string, string>): LabVerdict {
  const verdicts = cases.map((each) => {
    const stdout = outputs.get(each.key);
    const actual = actualText(stdout ?? '');
    const passed = stdout !== undefined && actual === each.out;
    return [
      each.key,
      { in: each.in && [...each.in], out: each.out, actual, status: passed ? 'Success' : 'Failed' },
    ] as const;
  });
  return {
    success: verdicts.every(([, { status }]) => status === 'Success'),
    cases: Object.fromEntries(verdicts),
  };
}
