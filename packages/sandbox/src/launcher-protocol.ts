/**
 * What the worker and the launcher (docker/sandbox/launcher) agree on. launcher/protocol.h is made
 * from this file by `npm run generate`.
 *
 * A frame, in both directions: one byte of type, the payload's length as u32 big-endian, the payload.
 */
import { COMMAND_BYTES, COMMAND_WORDS, EXECUTABLE_BYTES, LAUNCHER_FRAME_BYTES } from './limits.js';

/** What a command may do. `tool`: start processes. `program`: neither start a process nor execute a file. */
export type Confinement = 'tool' | 'program';

/** Raise with every change of the frames: a worker refuses an image of another version. */
export const PROTOCOL_VERSION = 5;

/** Frames that the launcher receives. START comes first and GO last. */
export const RECEIVED = {
  START: 'S',
  VARIABLE: 'V',
  FILE_SENT: 'F',
  EXECUTABLE_SENT: 'X',
  WORD: 'A',
  HAND_BACK: 'B',
  GO: 'G',
} as const;
/** Frames that it sends. */
export const SENT = { READY: 'r', OUTPUT: 'o', ERROR_OUTPUT: 'e', EXECUTABLE: 'x', STATUS: 's' } as const;
/** How a command ended. */
export const REASONS = {
  EXITED: 'e',
  SIGNALLED: 'k',
  TIME_LIMIT: 't',
  OUTPUT_LIMIT: 'o',
  OUT_OF_MEMORY: 'm',
  NOT_FOUND: 'n',
} as const;
export const CONFINEMENTS: Readonly<Record<'TOOL' | 'PROGRAM', string>> = { TOOL: 't', PROGRAM: 'p' };

/**
 * START: confinement, user, time limit in ms, output limit in bytes, room for files in bytes, flags. Numbers
 * are u32, the flags a byte.
 */
export const START_BYTES = 18;
/** Flag of START: no command is executed; the launcher's child reports what a command would find. */
export const INSPECT = 1;
/** Of a file, in UTF-8. */
export const NAME_BYTES = 255;
/** Of a variable, NAME=value in UTF-8. */
export const VARIABLE_BYTES = 4096;

/**
 * Users. The Dockerfile makes the builder. A program's user is drawn anew for each job, since the kernel
 * counts pipes, signals and timers for a user on the whole machine. All stay below 65,536: an engine with
 * userns-remap has no others.
 */
export const BUILDER = 10_001;
export const FIRST_RUNNER = 20_000;
export const RUNNERS = 40_000;

/** Working directory of every command. */
export const WORKSPACE = '/workspace/sessions';
/** Folder for temporary files; the images' /tmp leads here. */
export const SCRATCH = '/workspace/tmp';

/** The only variables that the launcher takes. */
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

/** The text of launcher/protocol.h. */
export function protocolHeader(): string {
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
