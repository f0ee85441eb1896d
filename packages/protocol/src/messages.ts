/**
 * Messages between the API and the workers, as JSON. Each carries its version, because old and new processes run
 * side by side during a deploy.
 */
import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';

import { RunProgramRequest, OutputItem } from './http.js';

/** Raise it if processes of the previous version cannot read the new messages. Keep reading the previous ones. */
export const MESSAGE_VERSION = 1;

const Version = Type.Literal(MESSAGE_VERSION);
const Count = Type.Integer({ minimum: 0 });
/** Number of the delivery of the task, from 1. */
const Attempt = Type.Integer({ minimum: 1 });

/** Limited because queue names and log lines contain the identifier. A UUID has 36 characters. */
const LONGEST_IDENTIFIER = 100;

/** A run request. `submittedAt` is in ms since the epoch. */
export const TaskMessage = Type.Object({
  version: Version,
  identifier: Type.String({ maxLength: LONGEST_IDENTIFIER }),
  submittedAt: Type.Number(),
  request: RunProgramRequest,
});
export type TaskMessage = Static<typeof TaskMessage>;

/** Output items of one attempt, in order. `first` is the number of the first item, from 1. */
export const OutputMessage = Type.Object({
  version: Version,
  kind: Type.Literal('output'),
  attempt: Attempt,
  first: Type.Integer({ minimum: 1 }),
  items: Type.Array(OutputItem, { minItems: 1 }),
});
export type OutputMessage = Static<typeof OutputMessage>;

/** The end of a task, published once, after the `items` items of the attempt that ended it. */
export const FinalMessage = Type.Object({
  version: Version,
  kind: Type.Literal('final'),
  attempt: Attempt,
  items: Count,
  state: Type.Union([Type.Literal('SUCCESS'), Type.Literal('FAILURE')]),
  status: Type.Integer(),
  /** How long a worker was busy with the task, in ms. The API estimates Retry-After from it. */
  workMs: Type.Number({ minimum: 0 }),
});
export type FinalMessage = Static<typeof FinalMessage>;

/**
 * Published by the API process that first sees a new attempt. `received` is how many items the client had before it,
 * so that all replicas number the new items alike.
 */
export const RestartMessage = Type.Object({
  version: Version,
  kind: Type.Literal('restart'),
  attempt: Type.Integer({ minimum: 2 }),
  received: Count,
});
export type RestartMessage = Static<typeof RestartMessage>;

export const ReplyMessage = Type.Union([OutputMessage, FinalMessage, RestartMessage]);
export type ReplyMessage = Static<typeof ReplyMessage>;

/** `begun`: the worker starts the task. `returned`: requeued or lost with the connection; the task is not at fault. */
export const AttemptNote = Type.Object({
  version: Version,
  attempt: Attempt,
  event: Type.Union([Type.Literal('begun'), Type.Literal('returned')]),
});
export type AttemptNote = Static<typeof AttemptNote>;

const OfLaterVersion = Type.Object({ version: Type.Integer({ minimum: MESSAGE_VERSION + 1 }) });

export function encodeMessage(message: TaskMessage | ReplyMessage | AttemptNote): Buffer {
  return Buffer.from(JSON.stringify(message));
}

/** The task in `body`; `newer` if its version is later, undefined if it is no task. */
export function decodeTaskMessage(body: Buffer): TaskMessage | 'newer' | undefined {
  return decode(TaskMessage, body) ?? (decode(OfLaterVersion, body) && 'newer');
}

/** The reply in `body`; undefined if this version cannot decode it. */
export function decodeReplyMessage(body: Buffer): ReplyMessage | undefined {
  return decode(ReplyMessage, body);
}

export function decodeAttemptNote(body: Buffer): AttemptNote | undefined {
  return decode(AttemptNote, body);
}

function decode<S extends TSchema>(schema: S, body: Buffer): Static<S> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
  return Value.Check(schema, value) ? value : undefined;
}
