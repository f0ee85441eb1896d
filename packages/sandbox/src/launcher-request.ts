/** What the launcher is asked for, as frames: type byte, u32 big-endian length, payload. */
import { byteLength, type Executable } from './executable.js';
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
  executable?: { basename: string; pieces: Executable };
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
/** Largest part of a request that is written at once. */
const CHUNK_BYTES = 64 * 1024;

function header(type: string, length: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.write(type, 'latin1');
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

function frame(type: string, ...payload: Buffer[]): Buffer[] {
  return [header(type, byteLength(payload)), ...payload];
}

function encodeName(name: string): Buffer {
  const bytes = Buffer.from(name);
  const plain = bytes.length > 0 && bytes.length <= NAME_BYTES && !/[/\0]/.test(name) && name !== '.' && name !== '..';
  if (!plain) throw new RangeError(`not a plain file name: ${JSON.stringify(name)}`);
  return bytes;
}

function encodeFile(type: string, basename: string, ...contents: readonly Buffer[]): Buffer[] {
  const name = encodeName(basename);
  return frame(type, Buffer.of(name.length), name, ...contents);
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

function checkCommand(command: readonly string[]): void {
  const bytes = command.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0);
  if (command.length === 0 || command.length > COMMAND_WORDS || bytes > COMMAND_BYTES) {
    throw new RangeError(`a command of ${command.length} words and ${bytes} bytes`);
  }
  if (command.some((word) => word.includes('\0'))) throw new RangeError('a word of the command has a NUL');
}

/** The files that are sent: what the executable takes the place of is not. */
export function filesToSend({ files, executable }: Pick<LauncherRequest, 'files' | 'executable'>): readonly SourceFile[] {
  return files.filter(({ basename }) => basename !== executable?.basename);
}

/**
 * A request in chunks of at most 64 KiB, each encoded when it is asked for. All of the request is
 * checked first, so that nothing of it is sent when a part cannot be.
 * @throws {RangeError} a name that is no plain file name or given twice, an executable or a command
 *   above the limits: what the caller should not have let pass.
 */
export function encodeRequest(request: LauncherRequest): Iterable<Buffer> {
  const { command, executable, handBack } = request;
  const names = filesToSend(request).map(({ basename }) => basename);
  if (new Set(names).size < names.length) throw new RangeError('two files of one name');
  for (const name of [...names, executable?.basename, handBack]) if (name !== undefined) encodeName(name);
  const executableBytes = byteLength(executable?.pieces ?? []);
  if (executableBytes > EXECUTABLE_BYTES) throw new RangeError(`an executable of ${executableBytes} bytes`);
  checkCommand(command);
  return inChunks(encodeParts(request));
}

function* encodeParts(request: LauncherRequest): Generator<Buffer> {
  const { command, executable, handBack } = request;
  yield* encodeStart(request);
  for (const { basename, contents } of filesToSend(request)) yield* encodeFile('F', basename, Buffer.from(contents));
  if (executable !== undefined) yield* encodeFile('X', executable.basename, ...executable.pieces);
  for (const word of command) yield* frame('A', Buffer.from(word));
  if (handBack !== undefined) yield* frame('B', encodeName(handBack));
  yield* frame('G');
}

/** Small parts are copied into one chunk, since each write costs a call of the kernel; large ones are cut. */
function* inChunks(parts: Iterable<Buffer>): Generator<Buffer> {
  let small = Buffer.allocUnsafe(CHUNK_BYTES);
  let fill = 0;
  for (const part of parts) {
    if (fill + part.length > CHUNK_BYTES && fill > 0) {
      yield small.subarray(0, fill);
      small = Buffer.allocUnsafe(CHUNK_BYTES);
      fill = 0;
    }
    if (part.length < CHUNK_BYTES) fill += part.copy(small, fill);
    else for (let at = 0; at < part.length; at += CHUNK_BYTES) yield part.subarray(at, at + CHUNK_BYTES);
  }
  yield small.subarray(0, fill);
}
