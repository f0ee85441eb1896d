/**
 * The golden cases: a browser's requests and the expected results. Cases are played as the existing frontend
 * would, and keep only what that frontend can tell apart.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import type { OutputItem } from '@code-widgets/protocol';

import { statements, unzip } from './unzip.js';

/** A pattern for a string or number of an expectation. */
export interface Match {
  readonly $match: string;
}

/** A value whose strings and numbers may be patterns. */
export type Expected<T> = T extends string | number
  ? T | Match
  : T extends readonly (infer Item)[]
    ? readonly Expected<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Expected<T[Key]> }
      : T;

/** One HTTP request; `$ID` stands for the task's identifier, `"$READ"` for the number of items read. */
export interface HttpRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is sent unchanged, anything else as JSON. */
  readonly body?: unknown;
}

/** A client's result. Of an HTTP exchange: status, headers and body; of a run: all other members. */
export interface Seen {
  /** The HTTP status; of a run the exit status, null if it never started. */
  readonly status: number | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Parsed if it is JSON. */
  readonly body?: unknown;
  /** Files of a downloaded zip by name; main.gpr and main.adc as lists of statements. */
  readonly entries?: Readonly<Record<string, string | readonly string[]>>;
  /** HTTP status of the run's last answer. */
  readonly httpStatus?: number;
  /** The task's last known state; null if unknown. */
  readonly message?: string | null;
  readonly completed?: boolean;
  /** Set if the client stopped polling before the end of the task. */
  readonly gaveUp?: boolean;
  readonly output?: readonly OutputItem[];
  /** The answer that ended the run early. */
  readonly error?: { readonly headers: Readonly<Record<string, string>>; readonly body: unknown };
  /** Answers to the case's further requests. */
  readonly then?: readonly Seen[];
}

interface About {
  readonly name: string;
  readonly note: string;
  readonly expected: Expected<Seen>;
  /** Why the expectation differs from the original's answer. */
  readonly better?: string;
  /** The original's answer, if it differs. */
  readonly recorded?: unknown;
}

export type Fixture = About &
  (
    | { readonly kind: 'run'; readonly request: unknown; readonly then?: readonly HttpRequest[] }
    | { readonly kind: 'download'; readonly request: unknown }
    | ({ readonly kind: 'raw' } & HttpRequest)
  );

export interface PlayOptions {
  /** Pause between an answer and the next poll. */
  readonly pollMs?: number;
  readonly maxPolls?: number;
}

const FOLDER = new URL('../fixtures/golden/', import.meta.url);
/** The frontend's own interval. */
const POLL_MS = 250;
const MAX_POLLS = 200;

/** All cases by name, or those whose name matches `only`. */
export function loadFixtures(only = /^/): Fixture[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json') && only.test(file.replace(/\.json$/, '')))
    .sort()
    .map((file) => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Fixture);
}

/** Plays a case against the service at `base` (a URL without its final slash). */
export async function play(base: string, fixture: Fixture, options: PlayOptions = {}): Promise<Seen> {
  switch (fixture.kind) {
    case 'run':
      return playRun(base, fixture.request, fixture.then ?? [], options);
    case 'download':
      return playDownload(base, fixture.request);
    case 'raw':
      return exchange(base, fixture);
  }
}

/** The members that each poll updates. */
type TaskProgress = Required<Pick<Seen, 'status' | 'completed' | 'message'>>;

async function playRun(
  base: string,
  request: unknown,
  then: readonly HttpRequest[],
  { pollMs = POLL_MS, maxPolls = MAX_POLLS }: PlayOptions,
): Promise<Seen> {
  const output: OutputItem[] = [];
  let progress: TaskProgress = { status: null, completed: false, message: null };

  let answer = await postJson(base, '/run_program/', request);
  const ended = (more: Partial<Seen> = {}): Seen => ({ ...progress, httpStatus: answer.status, output, ...more });
  const failed = () => ended({ error: { headers: answer.headers, body: answer.body } });
  if (answer.status !== 200) return failed();
  const { identifier, message } = answer.body as { identifier: string; message: string };
  progress = { ...progress, message };

  for (let polls = 0; !progress.completed; polls++) {
    if (polls === maxPolls) return ended({ gaveUp: true });
    if (polls > 0) await sleep(pollMs);
    answer = await postJson(base, '/check_output/', { identifier, read: output.length });
    if (answer.status !== 200) return failed();
    const { output: items, ...rest } = answer.body as TaskProgress & { output: OutputItem[] };
    output.push(...items);
    progress = rest;
  }
  const seen = ended();
  const further: Seen[] = [];
  for (const step of then) further.push(await exchange(base, fillIn(step, identifier, output.length)));
  return then.length === 0 ? seen : { ...seen, then: further };
}

async function playDownload(base: string, request: unknown): Promise<Seen> {
  const response = await send(base, jsonRequest('/download/', request));
  if (!response.ok) return readAnswer(response);
  const entries = unzip(Buffer.from(await response.arrayBuffer())).map(({ name, content }) => {
    const text = content.toString('utf8');
    return [name, /^main\.(gpr|adc)$/.test(name) ? statements(text) : text] as const;
  });
  return { status: response.status, headers: keptHeaders(response), entries: Object.fromEntries(entries) };
}

type Answer = Required<Pick<Seen, 'headers' | 'body'>> & { readonly status: number };

const postJson = (base: string, path: string, body: unknown) => exchange(base, jsonRequest(path, body));

const jsonRequest = (path: string, body: unknown): HttpRequest => ({
  path,
  headers: { 'content-type': 'application/json' },
  body,
});

async function exchange(base: string, request: HttpRequest): Promise<Answer> {
  return readAnswer(await send(base, request));
}

async function send(base: string, { method = 'POST', path, headers = {}, body }: HttpRequest): Promise<Response> {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(base + path, {
    method,
    headers,
    redirect: 'manual',
    // For a string, fetch would add a content type that the case lacks.
    ...(text !== undefined && { body: Buffer.from(text) }),
  });
}

async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text();
  const json = /json/.test(response.headers.get('content-type') ?? '');
  const body: unknown = json ? JSON.parse(text) : text;
  return { status: response.status, headers: keptHeaders(response), body };
}

/** The headers that the browser or the frontend uses. */
function keptHeaders(response: Response): Record<string, string> {
  const kept = /^(content-type|content-disposition|location|allow|retry-after|access-control-.*)$/;
  return Object.fromEntries([...response.headers].filter(([name]) => kept.test(name)));
}

function fillIn(step: HttpRequest, identifier: string, read: number): HttpRequest {
  const text = JSON.stringify(step).replaceAll('$ID', identifier).replaceAll('"$READ"', String(read));
  return JSON.parse(text) as HttpRequest;
}
