/** What the launcher is asked for, as frames: type byte, u32 big-endian length, payload. */
import { COMMAND_BYTES, COMMAND_WORDS, EXECUTABLE_BYTES } from './limits.js';

/** The frames' version, which an image's launcher says when it is ready; the two must be equal. */
export const PROTOCOL_VERSION = 4;

export type StepKind = 'build' | 'run' | 'prove';

export interface SourceFile {
  /** A plain file name of at most 255 bytes. */
  basename: string;
  contents: string;
}

export interface LauncherRequest {
  kind: StepKind;
  timeLimitMs: number;
  outputLimitBytes: number;
  /** What the command may write, on top of what is sent to it; all that fits without it. */
  roomBytes?: number;
  command: readonly string[];
  files: readonly SourceFile[];
  /** The program to run; of a file of the same name only this one is sent. */
  executable?: { basename: string; bytes: Buffer };
  /** gprbuild finds its configuration anew, with all that it knows; it takes the image's prepared one otherwise. */
  findConfiguration?: boolean;
  /** No command is executed; in its place the launcher's child says what a command would find. */
  inspect?: boolean;
  /** The file that a good build hands back. */
  handBack?: string;
}

const KINDS: Record<StepKind, string> = { build: 'b', run: 'r', prove: 'p' };
const FIND_CONFIGURATION = 1;
const INSPECT = 2;
const NAME_BYTES = 255;
const U32_MAX = 0xffff_ffff;

function header(type: string, length: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.write(type, 'latin1');
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

function frame(type: string, ...payload: Buffer[]): Buffer[] {
  const length = payload.reduce((sum, part) => sum + part.length, 0);
  return [header(type, length), ...payload];
}

function encodeName(name: string): Buffer {
  const bytes = Buffer.from(name);
  const plain = bytes.length > 0 && bytes.length <= NAME_BYTES && !/[/\0]/.test(name) && name !== '.' && name !== '..';
  if (!plain) throw new RangeError(`not a plain file name: ${JSON.stringify(name)}`);
  return bytes;
}

function encodeFile(type: string, basename: string, contents: Buffer): Buffer[] {
  const name = encodeName(basename);
  return frame(type, Buffer.of(name.length), name, contents);
}

function encodeStart(request: LauncherRequest): Buffer[] {
  const payload = Buffer.alloc(14);
  payload.write(KINDS[request.kind], 'latin1');
  payload.writeUInt32BE(Math.min(Math.max(Math.ceil(request.timeLimitMs), 0), U32_MAX), 1);
  payload.writeUInt32BE(Math.min(Math.max(Math.floor(request.outputLimitBytes), 0), U32_MAX), 5);
  payload.writeUInt8((request.findConfiguration ? FIND_CONFIGURATION : 0) | (request.inspect ? INSPECT : 0), 9);
  payload.writeUInt32BE(Math.min(request.roomBytes ?? 0, U32_MAX), 10);
  return frame('S', payload);
}

function encodeCommand(command: readonly string[]): Buffer[] {
  const words = command.map((word) => Buffer.from(word));
  const bytes = words.reduce((sum, word) => sum + word.length + 1, 0);
  if (words.length === 0 || words.length > COMMAND_WORDS || bytes > COMMAND_BYTES) {
    throw new RangeError(`a command of ${words.length} words and ${bytes} bytes`);
  }
  if (words.some((word) => word.includes(0))) throw new RangeError('a word of the command has a NUL');
  return words.flatMap((word) => frame('A', word));
}

/** The files that are sent: what the executable takes the place of is not. */
export function filesToSend({ files, executable }: Pick<LauncherRequest, 'files' | 'executable'>): readonly SourceFile[] {
  return files.filter(({ basename }) => basename !== executable?.basename);
}

/**
 * Encodes a request whole, so that nothing of it is sent when a part cannot be.
 * @throws {RangeError} a name that is no plain file name or given twice, an executable or a command
 *   above the limits: what the caller should not have let pass.
 */
export function encodeRequest(request: LauncherRequest): Buffer {
  const { executable, handBack } = request;
  const files = filesToSend(request);
  if (new Set(files.map(({ basename }) => basename)).size < files.length) {
    throw new RangeError('two files of one name');
  }
  if (executable !== undefined && executable.bytes.length > EXECUTABLE_BYTES) {
    throw new RangeError(`an executable of ${executable.bytes.length} bytes`);
  }
  return Buffer.concat([
    ...encodeStart(request),
    ...files.flatMap(({ basename, contents }) => encodeFile('F', basename, Buffer.from(contents))),
    ...(executable === undefined ? [] : encodeFile('X', executable.basename, executable.bytes)),
    ...encodeCommand(request.command),
    ...(handBack === undefined ? [] : frame('B', encodeName(handBack))),
    ...frame('G'),
  ]);
}
