/** A client of the service like the frontend: posts a program and polls to its end. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { CheckOutputAnswer, LabVerdict, OutputItem } from '@code-widgets/protocol';

export interface RunRequest {
  files: { basename: string; contents: string }[];
  mode: string;
  main?: string;
  switches?: Record<string, string[]>;
  name?: string;
  lab?: boolean;
}

export interface RunResult {
  identifier: string;
  output: OutputItem[];
  status: number;
  message: string;
}

const RUN_MS = 150_000;

export async function post(
  base: string,
  path: string,
  body: unknown,
  more: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: unknown }> {
  const headers = { 'content-type': 'application/json', ...more };
  const answer = await fetch(base + path, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

/** The identifier of an accepted program; throws if it was refused. */
export async function submit(base: string, request: RunRequest): Promise<string> {
  const { status, body } = await post(base, '/run_program/', { name: 'Demo', switches: {}, ...request });
  if (status !== 200) throw new Error(`refused: ${status} ${JSON.stringify(body)}`);
  return (body as { identifier: string }).identifier;
}

export async function poll(base: string, identifier: string, read?: number): Promise<CheckOutputAnswer> {
  const { status, body } = await post(base, '/check_output/', { identifier, ...(read !== undefined && { read }) });
  if (status !== 200) throw new Error(`poll: ${status} ${JSON.stringify(body)}`);
  return body as CheckOutputAnswer;
}

/** Polls to the end, starting after the items in `seen`; calls `onAnswer` for each answer. */
export async function collect(
  base: string,
  identifier: string,
  {
    pollMs = 100,
    seen = [],
    onAnswer,
  }: { pollMs?: number; seen?: OutputItem[]; onAnswer?: (answer: CheckOutputAnswer) => void } = {},
): Promise<RunResult> {
  const output = [...seen];
  for (const deadline = Date.now() + RUN_MS; Date.now() < deadline; await sleep(pollMs)) {
    const answer = await poll(base, identifier, output.length);
    onAnswer?.(answer);
    output.push(...answer.output);
    if (answer.completed) return { identifier, output, status: answer.status, message: answer.message };
  }
  throw new Error(`no end within ${RUN_MS} ms`);
}

export async function runProgram(base: string, request: RunRequest): Promise<RunResult> {
  return collect(base, await submit(base, request));
}

/** All text of one type, in order. */
export function text({ output }: Pick<RunResult, 'output'>, type: 'console' | 'stdout' | 'stderr'): string {
  return output.map(({ msg }) => (msg.type === type ? msg.data : '')).join('');
}

export function verdict({ output }: RunResult): LabVerdict | undefined {
  return output.flatMap(({ msg }) => (msg.type === 'lab' ? [msg.data] : [])).at(-1);
}
