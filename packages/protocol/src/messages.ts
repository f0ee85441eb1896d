/**
 * What travels through the broker: the task that a widget publishes, and what the worker answers
 * into the task's reply queue. Each message is JSON and carries its version, so that old and new
 * processes can run side by side during a deploy.
 */
import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';

import { RunProgramRequest, OutputItem } from './http.js';

export const MESSAGE_VERSION = 1;

const Version = Type.Literal(MESSAGE_VERSION);
const Count = Type.Integer({ minimum: 0 });
/** 1 for the first worker that takes the task, one more each time that it had to be started again. */
const Attempt = Type.Integer({ minimum: 1 });

/** Of a UUID's 36 characters there is plenty of room; a queue is named by it, and each line of the log. */
const LONGEST_IDENTIFIER = 100;

/** A run request on its way to a worker. `submittedAt` is in ms since the epoch. */
export const TaskMessage = Type.Object({
  version: Version,
  identifier: Type.String({ maxLength: LONGEST_IDENTIFIER }),
  submittedAt: Type.Number(),
  request: RunProgramRequest,
});
export type TaskMessage = Static<typeof TaskMessage>;

/** Output items of one attempt, in order; `first` is the number of the first of them, from 1. */
export const OutputMessage = Type.Object({
  version: Version,
  kind: Type.Literal('output'),
  attempt: Attempt,
  first: Type.Integer({ minimum: 1 }),
  items: Type.Array(OutputItem, { minItems: 1 }),
});
export type OutputMessage = Static<typeof OutputMessage>;

/** The end of a task: published once, by the attempt that ended it, after its `items` items. */
export const FinalMessage = Type.Object({
  version: Version,
  kind: Type.Literal('final'),
  attempt: Attempt,
  items: Count,
  state: Type.Union([Type.Literal('SUCCESS'), Type.Literal('FAILURE')]),
  status: Type.Integer(),
  /** How long a worker was busy with the task, in ms; tells the widgets how fast the queue moves. */
  workMs: Type.Number({ minimum: 0 }),
});
export type FinalMessage = Static<typeof FinalMessage>;

/**
 * Left in the reply queue by the widget that first sees a new attempt: how many items the client
 * had received before it. From then on every replica numbers the new attempt's items alike.
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

/**
 * A worker's note about an attempt, in the task's log of attempts. `begun`: its steps begin. `returned`:
 * requeued, or lost with the connection, through no fault of the task.
 */
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

/** The task in `body`; `newer` for one of a later version, undefined for what is no task at all. */
export function decodeTaskMessage(body: Buffer): TaskMessage | 'newer' | undefined {
  return decode(TaskMessage, body) ?? (decode(OfLaterVersion, body) && 'newer');
}

/** The reply in `body`, or undefined if it is none that this version understands. */
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
