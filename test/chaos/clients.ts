/** Clients with several polling styles, and what each has seen of its task. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { CheckOutputAnswer, OutputItem } from '@code-widgets/protocol';

import type { ChaosTask } from './tasks.js';
import type { Random } from './random.js';

/** A request without an answer is repeated. */
const ANSWER_MS = 15_000;
const RETRY_MS = 250;

/** How a client polls. */
export interface PollStyle {
  readonly name: string;
  readonly pauseMs: number;
  /** Percentage of answers that get lost. */
  readonly loses: number;
}

export const POLL_STYLES: readonly PollStyle[] = [
  { name: 'as the frontend', pauseMs: 250, loses: 0 },
  { name: 'impatient', pauseMs: 20, loses: 0 },
  { name: 'losing answers', pauseMs: 150, loses: 40 },
  { name: 'absent-minded', pauseMs: 3_000, loses: 10 },
];

/** What a client has seen of one task; times are of performance.now(). */
export interface Sighting {
  readonly task: ChaosTask;
  readonly pollStyle: string;
  identifier?: string;
  readonly items: OutputItem[];
  /** When something new was seen, including the end. */
  readonly progressAt: number[];
  acceptedAt?: number;
  completedAt?: number | undefined;
  status?: number;
  message?: string;
  /** Violations of the service's guarantees. */
  readonly offences: string[];
  /** A status such as 500, which no fault excuses. */
  gaveUp?: string;
}

interface Answered {
  status: number;
  body: unknown;
}

/** Submits and polls to the end, or until `patienceMs` after the acceptance. */
export async function follow(
  base: string,
  task: ChaosTask,
  pollStyle: PollStyle,
  random: Random,
  patienceMs: number,
): Promise<Sighting> {
  const seen: Sighting = { task, pollStyle: pollStyle.name, items: [], progressAt: [], offences: [] };
  for (const deadline = performance.now() + patienceMs; seen.identifier === undefined;) {
    if (performance.now() > deadline) return { ...seen, gaveUp: 'never accepted' };
    const answer = await ask(base, '/run_program/', { name: 'Chaos', switches: {}, ...task.request });
    if (answer?.status === 200) seen.identifier = (answer.body as { identifier: string }).identifier;
    else if (answer && answer.status !== 503)
      seen.offences.push(`run_program answered ${answer.status} ${JSON.stringify(answer.body)}`);
    if (answer?.status !== 200) await sleep(RETRY_MS);
  }
  seen.acceptedAt = performance.now();
  for (const deadline = seen.acceptedAt + patienceMs; seen.completedAt === undefined;) {
    if (performance.now() > deadline) {
      seen.gaveUp = `no end within ${patienceMs / 1000} s`;
      break;
    }
    const read = seen.items.length;
    const answer = await ask(base, '/check_output/', { identifier: seen.identifier, read });
    if (random.below(100) >= pollStyle.loses) take(seen, answer);
    if (seen.gaveUp !== undefined) break;
    if (seen.completedAt === undefined) await sleep(pollStyle.pauseMs);
  }
  return seen;
}

/** Polls all widgets once more: each must answer with no new item and the same end. */
export async function askAgain(bases: readonly string[], seen: Sighting): Promise<void> {
  for (const base of bases) {
    let answer: Answered | undefined;
    for (let i = 0; i < 60 && answer?.status !== 200; i++) {
      answer = await ask(base, '/check_output/', { identifier: seen.identifier, read: seen.items.length });
      if (answer && ![200, 503].includes(answer.status)) break;
      if (answer?.status !== 200) await sleep(RETRY_MS);
    }
    if (!isSameEnd(answer?.body, seen))
      seen.offences.push(`asked again, a widget answered ${JSON.stringify(answer) ?? 'nothing'}`);
  }
}

function isSameEnd(body: unknown, { status, message }: Sighting): boolean {
  const answer = body as Partial<CheckOutputAnswer> | undefined;
  return (
    answer?.completed === true && answer.output?.length === 0 && answer.status === status && answer.message === message
  );
}

function take(seen: Sighting, answer: Answered | undefined): void {
  if (answer === undefined || answer.status === 503) return;
  if (answer.status !== 200) {
    seen.gaveUp = `check_output answered ${answer.status} ${JSON.stringify(answer.body)}`;
    return;
  }
  const { output, completed, status, message } = answer.body as CheckOutputAnswer;
  seen.items.push(...output);
  if (output.length > 0 || completed) seen.progressAt.push(performance.now());
  if (completed) Object.assign(seen, { completedAt: performance.now(), status, message });
}

/** Undefined without an answer: a lost connection or a timeout. */
async function ask(base: string, path: string, body: unknown): Promise<Answered | undefined> {
  try {
    const answer = await fetch(base + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return { status: answer.status, body: await answer.json().catch(() => undefined) };
  } catch {
    return undefined;
  }
}
