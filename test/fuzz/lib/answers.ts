/** Checks that an answer has a status of its route and matches the schema of that status. */
import { STATUS_CODES, type IncomingHttpHeaders } from 'node:http';

import { CheckOutputAnswer, ErrorAnswer, RunProgramAnswer } from '@code-widgets/protocol';
import { Type, type Static, type TObject, type TProperties, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { validate as isUuid } from 'uuid';

import { unzip } from '../../helpers/unzip.js';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The schema without additional members. */
const exactly = <P extends TProperties>(schema: TObject<P>) =>
  Type.Object(schema.properties, { additionalProperties: false });
const Health = Type.Object({ message: Type.Literal('OK') }, { additionalProperties: false });
const [RunAnswer, PollAnswer, RefusalAnswer] = [
  exactly(RunProgramAnswer),
  exactly(CheckOutputAnswer),
  exactly(ErrorAnswer),
];

const REFUSALS = [400, 413, 415, 417, 431];
export type Route = 'run' | 'poll' | 'download' | 'other';
/** Possible refusals per route. A client cannot cause 500, 501 or 408 with a complete HTTP request. */
const REFUSALS_OF: Readonly<Record<Route, readonly number[]>> = {
  run: [...REFUSALS, 503],
  poll: [...REFUSALS, 404, 429, 503],
  download: REFUSALS,
  other: [...REFUSALS, 404, 405, 503],
};

/** Throws unless the answer is valid for its route. */
export function checkAnswer(route: Route, method: string, answer: Answer): void {
  const { status, headers, body } = answer;
  if (headers['access-control-allow-origin'] === undefined) throw new Error(`no CORS header: ${shown(answer)}`);
  if (headers['x-content-type-options'] !== 'nosniff') throw new Error(`a header is missing: ${shown(answer)}`);
  if (status >= 400) {
    if (!REFUSALS_OF[route].includes(status)) throw new Error(`an answer that ${route} has not: ${shown(answer)}`);
    checkRefusal(answer, method);
    return;
  }
  if (status !== 200) throw new Error(`neither taken nor refused: ${shown(answer)}`);
  if (method === 'OPTIONS' || method === 'HEAD') {
    if (body.length > 0) throw new Error(`a body where there is none: ${shown(answer)}`);
    return;
  }
  switch (route) {
    case 'run': {
      if (!isUuid(fitting(RunAnswer, answer).identifier)) throw new Error(`no identifier: ${shown(answer)}`);
      return;
    }
    case 'poll': {
      const { completed, message } = fitting(PollAnswer, answer);
      if (completed !== (message === 'SUCCESS')) throw new Error(`an end that is none: ${shown(answer)}`);
      return;
    }
    case 'download': {
      const names = unzip(body).map(({ name }) => name);
      if (!names.includes('main.gpr') || new Set(names).size < names.length)
        throw new Error(`a zip of ${names.join(', ')}`);
      return;
    }
    case 'other':
      fitting(Health, answer);
  }
}

/** Throws unless the answer is a valid error. */
export function checkRefusal(answer: Answer, method: string): void {
  const { status, headers } = answer;
  if (status === 503 && !(Number(headers['retry-after']) >= 1))
    throw new Error(`503 without Retry-After: ${shown(answer)}`);
  if (status === 405 && headers.allow === undefined) throw new Error(`405 without Allow: ${shown(answer)}`);
  if (method === 'HEAD') return;
  const { error, message } = fitting(RefusalAnswer, answer);
  if (error !== STATUS_CODES[status]) throw new Error(`another error than its status: ${shown(answer)}`);
  if (/\n\s+at |node_modules|node:internal|\/dist\//.test(message)) throw new Error(`a stack trace: ${shown(answer)}`);
}

function fitting<S extends TSchema>(schema: S, answer: Answer): Static<S> {
  if (!/^application\/json/.test(answer.headers['content-type'] ?? '')) throw new Error(`no JSON: ${shown(answer)}`);
  const value: unknown = JSON.parse(answer.body.toString());
  if (!Value.Check(schema, value)) throw new Error(`not of its schema: ${shown(answer)}`);
  return value;
}

const shown = ({ status, headers, body }: Answer) =>
  `${status} ${JSON.stringify(headers)} ${body.toString('latin1').slice(0, 1000)}`;
