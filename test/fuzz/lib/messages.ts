/** Arbitrary broker messages: for workers in the task queue, for polls in a reply queue. */
import { MESSAGE_VERSION } from '@code-widgets/protocol';
import fc from 'fast-check';

import { anyBytes, latin1Of, nearly, nearlyJson, strangeNumber, strangeText, type Json } from './edits.js';

export interface TaskInput {
  /** In Latin-1. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string | number | boolean>>;
  /** Whether its reply queue exists. */
  readonly isAwaited: boolean;
}

/** Some brokers close a channel over messages above 16 MiB. */
const LARGEST_BYTES = 12 * 1024 * 1024;
const taken = (body: string) => body.length <= LARGEST_BYTES;

/** A placeholder for the identifier of the message's queue. */
export const IDENTIFIER = '11111111-1111-4111-8111-111111111111';

/** Wrong in several places, so that few edits produce a project that a worker would build. */
const wrongRun: fc.Arbitrary<Json> = fc.record({
  files: fc.constant<Json>([
    { basename: '../a.c', contents: '' },
    { basename: '..', contents: '' },
    { basename: 'x.o', contents: 'x' },
  ]),
  mode: fc.constantFrom('run', 'submit'),
  name: fc.constant('\u0007'),
  switches: fc.constant<Json>({ Compiler: ['-g'] }),
});
const task: fc.Arbitrary<Json> = fc.record({
  version: fc.constant(MESSAGE_VERSION),
  identifier: fc.constant(IDENTIFIER),
  submittedAt: fc.oneof(fc.constant(1.7e12), strangeNumber),
  request: wrongRun,
});
const later: fc.Arbitrary<string> = fc
  .record({
    version: fc.integer({ min: MESSAGE_VERSION + 1 }),
    identifier: strangeText,
    more: fc.jsonValue({ maxDepth: 2 }),
  })
  .map((value) => latin1Of(JSON.stringify(value)));

const huge = fc
  .integer({ min: 1, max: 8 })
  .chain((mebibytes) =>
    fc.constantFrom('[', '{"a":', ' ', '\xff', '"').map((part) => part.repeat((mebibytes << 20) / part.length)),
  );

export const taskInputs: fc.Arbitrary<TaskInput> = fc.record({
  body: fc.oneof(
    { weight: 60, arbitrary: nearlyJson(task).filter(taken) },
    { weight: 15, arbitrary: nearly(nearlyJson(task, 1)).filter(taken) },
    { weight: 15, arbitrary: anyBytes(300) },
    { weight: 9, arbitrary: fc.jsonValue().map((value) => latin1Of(JSON.stringify(value))) },
    // Each is held for 5 s, eleven times.
    { weight: 1, arbitrary: later },
    { weight: 1, arbitrary: huge },
  ),
  headers: fc.oneof(
    { weight: 4, arbitrary: fc.constant({}) },
    {
      weight: 1,
      arbitrary: fc.dictionary(
        fc.constantFrom('x-delivery-count', 'x-acquired-count', 'x-death', 'x'),
        fc.oneof(fc.integer({ min: -2, max: 20 }), fc.boolean(), fc.string({ maxLength: 20 })),
        { maxKeys: 2 },
      ),
    },
  ),
  isAwaited: fc.oneof({ weight: 5, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
});

const text = fc.oneof(fc.constant('line\n'), strangeText);
const verdict = fc.record({
  success: fc.boolean(),
  cases: fc.dictionary(
    strangeText,
    fc.record({
      in: fc.option(fc.array(text, { maxLength: 2 })),
      out: fc.option(text),
      actual: text,
      status: fc.constantFrom('Success', 'Failed'),
    }),
    { maxKeys: 3 },
  ),
});
const item = fc.record(
  {
    msg: fc.oneof(
      fc.record({ type: fc.constantFrom('console', 'stdout', 'stderr'), data: text }),
      fc.record({ type: fc.constant('lab'), data: verdict }),
    ),
    ref: text,
  },
  { requiredKeys: ['msg'] },
);
const version = fc.constant(MESSAGE_VERSION);
const attempt = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 3 }) },
  { weight: 1, arbitrary: strangeNumber },
);
const count = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 6 }) },
  { weight: 1, arbitrary: strangeNumber },
);
const reply = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      version,
      kind: fc.constant('output'),
      attempt,
      first: count,
      items: fc.array(item, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      version,
      kind: fc.constant('final'),
      attempt,
      items: count,
      state: fc.constantFrom('SUCCESS', 'SUCCESS', 'FAILURE'),
      status: fc.oneof(fc.nat(255), strangeNumber),
      workMs: strangeNumber,
    }),
  },
  { weight: 1, arbitrary: fc.record({ version, kind: fc.constant('restart'), attempt, received: count }) },
) as fc.Arbitrary<Json>;

export interface ReplyInput {
  /** In Latin-1, in publishing order. */
  readonly bodies: readonly string[];
  /** The `read` of each poll; null for a client without `read`. */
  readonly reads: readonly (number | null)[];
}

export const replyInputs: fc.Arbitrary<ReplyInput> = fc.record({
  bodies: fc.array(
    fc.oneof(
      { weight: 8, arbitrary: reply.map((value) => latin1Of(JSON.stringify(value))) },
      { weight: 8, arbitrary: nearlyJson(reply, 1).filter(taken) },
      { weight: 2, arbitrary: anyBytes(200) },
      { weight: 1, arbitrary: later },
    ),
    { maxLength: 8 },
  ),
  reads: fc.array(
    fc.option(fc.oneof({ weight: 3, arbitrary: fc.nat(10) }, { weight: 1, arbitrary: fc.maxSafeNat() })),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
});

/** Whether one of the messages reports a failed task. */
export const saysFailure = (bodies: readonly string[]): boolean =>
  bodies.some((body) => /"state":"FAILURE"/.test(body));
