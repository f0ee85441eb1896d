/**
 * The protocol of the worker and the launcher. `npm run generate` makes launcher/protocol.h from this file.
 * A frame, in both directions: type (1 byte), payload length (u32, big-endian), payload.
 */
import { COMMAND_BYTES, COMMAND_WORDS, EXECUTABLE_BYTES, LAUNCHER_FRAME_BYTES } from './limits.js';

/** A `tool` may start processes. A `program` may neither start a process nor execute a file. */
export type Confinement = 'tool' | 'program';

/** Raise it with every change of the frames. A worker refuses an image of another version. */
export const PROTOCOL_VERSION = 5;

/** The launcher receives these. START comes first and GO last. */
export const RECEIVED = {
  START: 'S',
  VARIABLE: 'V',
  FILE_SENT: 'F',
  EXECUTABLE_SENT: 'X',
  WORD: 'A',
  HAND_BACK: 'B',
  GO: 'G',
} as const;
/** The launcher sends these. */
export const SENT = { READY: 'r', OUTPUT: 'o', ERROR_OUTPUT: 'e', EXECUTABLE: 'x', STATUS: 's' } as const;
export const REASONS = {
  EXITED: 'e',
  SIGNALLED: 'k',
  TIME_LIMIT: 't',
  OUTPUT_LIMIT: 'o',
  OUT_OF_MEMORY: 'm',
  NOT_FOUND: 'n',
} as const;
export const CONFINEMENTS: Readonly<Record<'TOOL' | 'PROGRAM', string>> = { TOOL: 't', PROGRAM: 'p' };

/** Payload: confinement, then u32 user, time limit (ms), output limit, writable size (bytes), then flags (1 byte). */
export const START_BYTES = 18;
/** Flag of START: the launcher's child reports what a command would find, and executes nothing. */
export const INSPECT = 1;
/** A file name in UTF-8. */
export const NAME_BYTES = 255;
/** NAME=value in UTF-8. */
export const VARIABLE_BYTES = 4096;

/**
 * User ids. The Dockerfile creates BUILDER. Each program gets one at random, since the kernel limits pipes, signals and
 * timers for each user of the machine. With userns-remap, ids of 65,536 and more do not exist.
 */
export const BUILDER = 10_001;
export const FIRST_RUNNER = 20_000;
export const RUNNERS = 40_000;

/** Working directory of every command. */
export const WORKSPACE = '/workspace/sessions';
/** The images' /tmp is a link to it. */
export const SCRATCH = '/workspace/tmp';

/** The launcher refuses other variables. */
export const VARIABLES: Readonly<Record<Confinement, readonly string[]>> = {
  tool: ['HOME', 'TMPDIR', 'LANG', 'GPR_CONFIG', 'GLIBC_TUNABLES'],
  program: ['HOME', 'TMPDIR', 'LANG', 'PATH'],
};

const NUMBERS = {
  PROTOCOL_VERSION,
  START_BYTES,
  INSPECT,
  NAME_BYTES,
  VARIABLE_BYTES,
  FRAME_BYTES: LAUNCHER_FRAME_BYTES,
  WORDS_BYTES: COMMAND_BYTES,
  MOST_WORDS: COMMAND_WORDS,
  EXECUTABLE_BYTES,
  BUILDER,
  FIRST_RUNNER,
  RUNNERS,
};

export function protocolHeader(version: string): string {
  const letters = (name: string, values: Readonly<Record<string, string>>) =>
    `enum ${name} { ${Object.entries(values)
      .map(([key, letter]) => `${key} = '${letter}'`)
      .join(', ')} };`;
  const strings = (name: string, values: readonly string[]) =>
    `#define ${name} ${values.map((each) => `"${each}"`).join(', ')}`;
  return [
    '/* Made by `npm run generate` from packages/sandbox/src/launcher-protocol.ts, which explains it. */',
    '#ifndef PROTOCOL_H',
    '#define PROTOCOL_H',
    '',
    ...Object.entries(NUMBERS).map(([name, value]) => `#define ${name} ${value}`),
    strings('VERSION', [version]),
    strings('WORKSPACE', [WORKSPACE]),
    strings('SCRATCH', [SCRATCH]),
    strings('TOOL_VARIABLES', VARIABLES.tool),
    strings('PROGRAM_VARIABLES', VARIABLES.program),
    '',
    letters('received', RECEIVED),
    letters('sent', SENT),
    letters('reason', REASONS),
    letters('confinement', CONFINEMENTS),
    '',
    '#endif',
    '',
  ].join('\n');
}
