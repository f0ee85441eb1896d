/** Nearly valid inputs: JSON values with some parts changed, and their bytes with some changed. */
import fc from 'fast-check';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Size of growing texts: above every limit for a text or a body. */
const LONGEST_TEXT = 5 * 1024 * 1024;
const LONGEST_LIST = 3000;

/** One byte per character, so that fast-check prints a readable text that can be sent again. */
export const bytesOf = (latin1: string): Buffer => Buffer.from(latin1, 'latin1');
export const latin1Of = (text: string): string => Buffer.from(text).toString('latin1');

/** Texts with a special meaning, and arbitrary ones. */
export const strangeText = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '.',
    '..',
    '../x',
    '/etc/passwd',
    'a\\b',
    'C:x',
    'a\0b',
    'a\r\nb',
    '-o.adb',
    '@x.c',
    '\ud800',
    '\u2028',
    '%00',
    '${x}',
    '__proto__',
  ),
  fc.constantFrom(
    'constructor',
    'toString',
    'main.gpr',
    'main.adc',
    'cli.txt',
    'lab_io.txt',
    'x.o',
    'main.adb',
    'domain.adb',
    'é☃.c',
    'x'.repeat(201),
  ),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ maxLength: 30 }),
);

export const strangeNumber = fc.oneof(
  fc.constantFrom(0, -0, -1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e21, 1e308, 5e-324, -1e308),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

const anyJson: fc.Arbitrary<Json> = fc.oneof(
  strangeText,
  strangeNumber,
  fc.constantFrom(null, true, false, [], {}),
  fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
);

type Change =
  | { kind: 'replace'; value: Json }
  | { kind: 'remove' }
  | { kind: 'add'; key: string; value: Json }
  | { kind: 'nest'; depth: number }
  | { kind: 'grow'; times: number };

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('replace' as const), value: anyJson }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('remove' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('add' as const), key: strangeText, value: anyJson }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('nest' as const), depth: fc.constantFrom(1, 2, 30, 40, 1000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('grow' as const), times: fc.constantFrom(2, 100, 3000, 100_000) }),
  },
);

/** `path` selects a member at each level, modulo their number. */
const edit = fc.record({ path: fc.array(fc.nat(200), { maxLength: 5 }), change });

/** Undefined for a value to be omitted. */
function edited(value: Json, [step, ...rest]: number[], change: Change): Json | undefined {
  if (step !== undefined && Array.isArray(value) && value.length > 0) {
    const at = step % value.length;
    const inner = edited(value[at] as Json, rest, change);
    return inner === undefined ? value.toSpliced(at, 1) : value.with(at, inner);
  }
  if (
    step !== undefined &&
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.keys(value).length > 0
  ) {
    const entries = Object.entries(value);
    const at = step % entries.length;
    const [key, old] = entries[at] as [string, Json];
    const inner = edited(old, rest, change);
    return Object.fromEntries(inner === undefined ? entries.toSpliced(at, 1) : entries.with(at, [key, inner]));
  }
  switch (change.kind) {
    case 'replace':
      return change.value;
    case 'remove':
      return undefined;
    case 'add':
      if (Array.isArray(value)) return [...value, change.value];
      return typeof value === 'object' && value !== null
        ? Object.fromEntries([...Object.entries(value), [change.key, change.value]])
        : change.value;
    case 'nest':
      return nested(value, change.depth);
    case 'grow':
      return grown(value, change.times);
  }
}

function nested(value: Json, depth: number): Json {
  let outer = value;
  for (let i = 0; i < depth; i++) outer = i % 2 === 0 ? [outer] : { inner: outer };
  return outer;
}

function grown(value: Json, times: number): Json {
  if (typeof value === 'string')
    return value.repeat(Math.min(times, Math.floor(LONGEST_TEXT / Math.max(1, value.length))));
  if (Array.isArray(value))
    return Array.from(
      { length: Math.min(times, LONGEST_LIST) * value.length },
      (_, i) => value[i % value.length] as Json,
    ).slice(0, LONGEST_LIST);
  return value;
}

type ByteEdit =
  | { kind: 'cut'; at: number }
  | { kind: 'insert'; at: number; bytes: string }
  | { kind: 'flip'; at: number; bit: number };

/** Any bytes, as a Latin-1 text. */
export const anyBytes = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString('latin1'));

const at = fc.double({ min: 0, max: 1, noNaN: true });
const byteEdit: fc.Arbitrary<ByteEdit> = fc.oneof(
  fc.record({ kind: fc.constant('cut' as const), at }),
  fc.record({
    kind: fc.constant('insert' as const),
    at,
    bytes: fc.oneof(
      anyBytes(8),
      fc.constantFrom('"', '\\', '{', ']', ',', '\0', '\ufeff', 'null', '1e999', '['.repeat(20_000)),
    ),
  }),
  fc.record({ kind: fc.constant('flip' as const), at, bit: fc.nat(7) }),
);

function withBytesEdited(bytes: string, each: ByteEdit): string {
  const index = Math.floor(each.at * bytes.length);
  switch (each.kind) {
    case 'cut':
      return bytes.slice(0, index);
    case 'insert':
      return bytes.slice(0, index) + latin1Of(each.bytes) + bytes.slice(index);
    case 'flip': {
      const flipped = String.fromCharCode((bytes.charCodeAt(index) || 0) ^ (1 << each.bit));
      return bytes.slice(0, index) + flipped + bytes.slice(index + 1);
    }
  }
}

/** Bytes with up to three places changed. */
export const nearly = (bytes: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(bytes, fc.array(byteEdit, { minLength: 1, maxLength: 3 }))
    .map(([right, edits]) => edits.reduce(withBytesEdited, right));

/** JSON of a value with `least` to three parts changed, and sometimes bytes as well. */
export function nearlyJson(value: fc.Arbitrary<Json>, least: 0 | 1 = 0): fc.Arbitrary<string> {
  const some = fc.array(edit, { minLength: 1, maxLength: 3 });
  const edits = least === 0 ? fc.oneof(fc.constant([]), some) : some;
  const json = fc
    .tuple(value, edits)
    .map(([right, all]) =>
      latin1Of(JSON.stringify(all.reduce<Json>((each, { path, change }) => edited(each, path, change) ?? null, right))),
    );
  return fc.oneof({ weight: 5, arbitrary: json }, { weight: 1, arbitrary: nearly(json) });
}
