/** Encodes a job as frames for the launcher. */
import { randomInt } from 'node:crypto';
import { byteLength } from './byte-pieces.js';
import type { Job, SourceFile } from './job.js';
import {
  BUILDER,
  CONFINEMENTS,
  FIRST_RUNNER,
  INSPECT,
  NAME_BYTES,
  RECEIVED,
  RUNNERS,
  START_BYTES,
  VARIABLE_BYTES,
  VARIABLES,
} from './launcher-protocol.js';
import { COMMAND_BYTES, COMMAND_WORDS, EXECUTABLE_BYTES } from './limits.js';

const U32_MAX = 0xffff_ffff;
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

const u32 = (value: number) => Math.min(Math.max(value, 0), U32_MAX);

function encodeStart({ profile, limits }: Job, inspect: boolean): Buffer[] {
  const isTool = profile.confinement === 'tool';
  const payload = Buffer.alloc(START_BYTES);
  payload.write(isTool ? CONFINEMENTS.TOOL : CONFINEMENTS.PROGRAM, 'latin1');
  payload.writeUInt32BE(isTool ? BUILDER : FIRST_RUNNER + randomInt(RUNNERS), 1);
  payload.writeUInt32BE(u32(Math.ceil(limits.timeMs)), 5);
  payload.writeUInt32BE(u32(Math.floor(limits.outputBytes)), 9);
  payload.writeUInt32BE(u32(profile.writableBytes), 13);
  payload.writeUInt8(inspect ? INSPECT : 0, 17);
  return frame(RECEIVED.START, payload);
}

const variablesOf = ({ profile, environment }: Job) => Object.entries({ ...profile.environment, ...environment });

function checkEnvironment(job: Job): void {
  for (const [name, value] of variablesOf(job)) {
    const isTooLong = Buffer.byteLength(`${name}=${value}`) > VARIABLE_BYTES;
    if (!VARIABLES[job.profile.confinement].includes(name) || value.includes('\0') || isTooLong)
      throw new RangeError(`a variable ${name}`);
  }
}

function checkCommand(command: readonly string[]): void {
  const bytes = command.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0);
  if (command.length === 0 || command.length > COMMAND_WORDS || bytes > COMMAND_BYTES) {
    throw new RangeError(`a command of ${command.length} words and ${bytes} bytes`);
  }
  if (command.some((word) => word.includes('\0'))) throw new RangeError('a word of the command has a NUL');
}

/** `copyIn` replaces a source file of the same name. */
export function filesToSend({ files, copyIn }: Pick<Job, 'files' | 'copyIn'>): readonly SourceFile[] {
  return files.filter(({ basename }) => basename !== copyIn?.basename);
}

/**
 * Encodes a job in chunks of at most 64 KiB, each when it is asked for. Nothing is sent of an invalid job.
 * @throws {RangeError} an invalid or repeated file name, a forbidden variable, or a size above its limit.
 */
export function encodeRequest(job: Job, inspect = false): Iterable<Buffer> {
  const { argv, copyIn, copyOut } = job;
  const names = filesToSend(job).map(({ basename }) => basename);
  if (new Set(names).size < names.length) throw new RangeError('two files of one name');
  for (const name of [...names, copyIn?.basename, copyOut]) if (name !== undefined) encodeName(name);
  const executableBytes = byteLength(copyIn?.pieces ?? []);
  if (executableBytes > EXECUTABLE_BYTES) throw new RangeError(`an executable of ${executableBytes} bytes`);
  checkCommand(argv);
  checkEnvironment(job);
  return inChunks(encodeParts(job, inspect));
}

function* encodeParts(job: Job, inspect: boolean): Generator<Buffer> {
  const { argv, copyIn, copyOut } = job;
  yield* encodeStart(job, inspect);
  for (const [name, value] of variablesOf(job)) yield* frame(RECEIVED.VARIABLE, Buffer.from(`${name}=${value}`));
  for (const { basename, contents } of filesToSend(job))
    yield* encodeFile(RECEIVED.FILE_SENT, basename, Buffer.from(contents));
  if (copyIn !== undefined) yield* encodeFile(RECEIVED.EXECUTABLE_SENT, copyIn.basename, ...copyIn.pieces);
  for (const word of argv) yield* frame(RECEIVED.WORD, Buffer.from(word));
  if (copyOut !== undefined) yield* frame(RECEIVED.HAND_BACK, encodeName(copyOut));
  yield* frame(RECEIVED.GO);
}

/** Joins small parts and cuts large ones, since each write is a system call. */
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
