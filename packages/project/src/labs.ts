/** Labs: the cases of lab_io.txt, and the verdict on what a program made of them. */
import type { LabVerdict } from '@code-widgets/protocol';

import { splitArguments } from './arguments.js';

export const LAB_FILE = 'lab_io.txt';

export interface LabCase {
  /** Digits; the `ref` of the case's output items. */
  readonly key: string;
  /** The words of its `in` line; null without one. */
  readonly in: readonly string[] | null;
  /** The text of its `out` line, as it stands; null without one, and then the case cannot pass. */
  readonly out: string | null;
  /** What the program is run with: `in`, or the project's own arguments if there is nothing in it. */
  readonly arguments: readonly string[];
}

/**
 * The cases of lab_io.txt in the order in which their keys come up. Lines of another shape are
 * ignored; of two lines for the same thing the last one counts.
 *
 * @param projectArguments those of cli.txt
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

/** What a reader is told who submits to a lab without cases, with lab_io.txt or without. */
export function explainMissingCases(hasLabFile: boolean): string {
  const fault = hasLabFile ? `${LAB_FILE} has no case` : `the project has no ${LAB_FILE}`;
  const lines = '"in 1: 2 3" (the arguments) and "out 1:5" (the output, exactly what stands behind the colon)';
  return `There is nothing to submit to: ${fault}. A case is two lines, such as ${lines}.`;
}

/** A program's stdout as it is compared with `out`: line ends turned into spaces, the end trimmed. */
export function actualText(stdout: string): string {
  return stdout.replace(/\r?\n/g, ' ').trimEnd();
}

/**
 * The verdict that ends a submit. The program's exit status does not matter.
 *
 * @param outputs each case's whole stdout by its key; a case that never ran has none, and fails
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
