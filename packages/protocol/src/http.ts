/** The routes' bodies, as the existing frontend sends and reads them. The API accepts more (lenience.ts). */
import { Type, type Static } from 'typebox';

export const MODES = [
  'run',
  'submit',
  'compile',
  'prove',
  'prove_flow',
  'prove_flow_report_all',
  'prove_report_all',
] as const;
export type Mode = (typeof MODES)[number];

const SourceFile = Type.Object({ basename: Type.String(), contents: Type.String() });
/** Far above any real request. Limited because each switch is checked, allowed or not. */
const MOST_SWITCHES = 100;
/** This pattern matches any name. The default one misses names with a line end, whose values would stay unchecked. */
const Switches = Type.Record(
  Type.String({ pattern: '^[\\s\\S]*$' }),
  Type.Array(Type.String(), { maxItems: MOST_SWITCHES }),
  { maxProperties: MOST_SWITCHES },
);

export const RunProgramRequest = Type.Object({
  files: Type.Array(SourceFile),
  mode: Type.Enum(MODES),
  main: Type.Optional(Type.String()),
  switches: Type.Optional(Switches),
  name: Type.Optional(Type.String()),
  lab: Type.Optional(Type.Boolean()),
});
export type RunProgramRequest = Static<typeof RunProgramRequest>;

export const RunProgramAnswer = Type.Object({ identifier: Type.String(), message: Type.Literal('Pending') });

export const CheckOutputRequest = Type.Object({
  identifier: Type.String(),
  /** How many output items this client has processed. Without it, each item is answered once. */
  read: Type.Optional(Type.Integer({ minimum: 0 })),
});
export type CheckOutputRequest = Static<typeof CheckOutputRequest>;

/** One lab case as the frontend shows it; `in` and `out` are null where lab_io.txt has none. */
export const LabCaseVerdict = Type.Object({
  in: Type.Union([Type.Array(Type.String()), Type.Null()]),
  out: Type.Union([Type.String(), Type.Null()]),
  actual: Type.String(),
  status: Type.Union([Type.Literal('Success'), Type.Literal('Failed')]),
});
export type LabCaseVerdict = Static<typeof LabCaseVerdict>;

export const LabVerdict = Type.Object({
  success: Type.Boolean(),
  cases: Type.Record(Type.String(), LabCaseVerdict),
});
export type LabVerdict = Static<typeof LabVerdict>;

export const OutputItem = Type.Object({
  msg: Type.Union([
    Type.Object({
      type: Type.Union([Type.Literal('console'), Type.Literal('stdout'), Type.Literal('stderr')]),
      data: Type.String(),
    }),
    Type.Object({ type: Type.Literal('lab'), data: LabVerdict }),
  ]),
  /** The key of the lab case that the item belongs to. */
  ref: Type.Optional(Type.String()),
});
export type OutputItem = Static<typeof OutputItem>;

export const TaskState = Type.Union([Type.Literal('PENDING'), Type.Literal('SUCCESS'), Type.Literal('FAILURE')]);
export type TaskState = Static<typeof TaskState>;

export const CheckOutputAnswer = Type.Object({
  output: Type.Array(OutputItem),
  status: Type.Integer(),
  completed: Type.Boolean(),
  message: TaskState,
});
export type CheckOutputAnswer = Static<typeof CheckOutputAnswer>;

export const DownloadRequest = Type.Object({
  files: Type.Array(SourceFile),
  switches: Type.Optional(Switches),
  name: Type.Optional(Type.String()),
});
export type DownloadRequest = Static<typeof DownloadRequest>;

/** The body of every error. `path` names the member of the request that is wrong. */
export const ErrorAnswer = Type.Object({
  error: Type.String(),
  message: Type.String(),
  path: Type.Optional(Type.String()),
});
export type ErrorAnswer = Static<typeof ErrorAnswer>;
