/**
 * Parsers for a job's output: Docker's framing of a container's streams, and inside its stdout the launcher's.
 * Chunks may be cut anywhere. Neither parser recurses, trusts a length, or copies a byte twice.
 */
import { REASONS, SENT } from './launcher-protocol.js';
import { LAUNCHER_FRAME_BYTES } from './limits.js';

/** The stream is not in the expected format, and cannot be read further. */
export class InvalidFrame extends Error {
  override readonly name = 'InvalidFrame';
}

export type ChunkReader = (chunk: Buffer) => void;

interface Header {
  length: number;
  type: number;
}

/**
 * Splits a stream of `header, payload`. `onPiece` gets pieces as they arrive, with the number of bytes left; one empty
 * piece for an empty payload. `decode` throws InvalidFrame on a bad header.
 */
function createReader(
  headerBytes: number,
  decode: (header: Buffer) => Header,
  onPiece: (type: number, piece: Buffer, left: number) => void,
): ChunkReader {
  const header = Buffer.alloc(headerBytes);
  let headerFill = 0;
  let type = 0;
  let left = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (headerFill < headerBytes) {
        const copied = chunk.copy(header, headerFill, at, at + headerBytes - headerFill);
        headerFill += copied;
        at += copied;
        if (headerFill < headerBytes) return;
        ({ type, length: left } = decode(header));
        if (left > 0) continue;
      }
      const piece = chunk.subarray(at, at + left);
      at += piece.length;
      left -= piece.length;
      if (left === 0) headerFill = 0;
      onPiece(type, piece, left);
    }
  };
}

const DOCKER_HEADER_BYTES = 8;
const DOCKER_STREAMS = [undefined, 'stdout', 'stderr'] as const;

export type OutputStream = 'stdout' | 'stderr';

/** Parses Docker's framing. `onBytes` gets pieces as they arrive, never an empty one. */
export function createDockerReader(onBytes: (stream: OutputStream, bytes: Buffer) => void): ChunkReader {
  const streamOf = (type: number): OutputStream => {
    const stream = DOCKER_STREAMS[type];
    if (stream === undefined) throw new InvalidFrame(`Docker's stream number is ${type}`);
    return stream;
  };
  return createReader(
    DOCKER_HEADER_BYTES,
    (header) => {
      const type = header.readUInt8(0);
      streamOf(type);
      return { type, length: header.readUInt32BE(4) };
    },
    (type, piece) => {
      if (piece.length > 0) onBytes(streamOf(type), piece);
    },
  );
}

export type EndReason = 'exited' | 'signal' | 'time' | 'output' | 'memory' | 'missing';

export type LauncherFrame =
  | { type: 'ready'; version: number }
  | { type: 'stdout' | 'stderr' | 'executable'; bytes: Buffer }
  | { type: 'status'; reason: EndReason; status: number; ms: number };

const LAUNCHER_HEADER_BYTES = 5;
const STATUS_BYTES = 9;

const END_REASONS = new Map<number, EndReason>([
  [code(REASONS.EXITED), 'exited'],
  [code(REASONS.SIGNALLED), 'signal'],
  [code(REASONS.TIME_LIMIT), 'time'],
  [code(REASONS.OUTPUT_LIMIT), 'output'],
  [code(REASONS.OUT_OF_MEMORY), 'memory'],
  [code(REASONS.NOT_FOUND), 'missing'],
]);

const PARSERS = new Map<number, (payload: Buffer) => LauncherFrame>([
  [code(SENT.READY), parseReady],
  [code(SENT.OUTPUT), (bytes) => ({ type: 'stdout', bytes })],
  [code(SENT.ERROR_OUTPUT), (bytes) => ({ type: 'stderr', bytes })],
  [code(SENT.EXECUTABLE), (bytes) => ({ type: 'executable', bytes })],
  [code(SENT.STATUS), parseStatus],
]);

function code(letter: string): number {
  return letter.charCodeAt(0);
}

function parseReady(payload: Buffer): LauncherFrame {
  if (payload.length !== 1) throw new InvalidFrame(`a ready frame of ${payload.length} bytes`);
  return { type: 'ready', version: payload.readUInt8(0) };
}

function parseStatus(payload: Buffer): LauncherFrame {
  if (payload.length !== STATUS_BYTES) throw new InvalidFrame(`a status frame of ${payload.length} bytes`);
  const reason = END_REASONS.get(payload.readUInt8(0));
  if (reason === undefined) throw new InvalidFrame(`an unknown reason ${payload.readUInt8(0)}`);
  return { type: 'status', reason, status: payload.readUInt32BE(1), ms: payload.readUInt32BE(5) };
}

/** Parses the launcher's framing. `onFrame` gets whole frames. */
export function createLauncherReader(onFrame: (frame: LauncherFrame) => void): ChunkReader {
  let payload: Buffer | undefined;
  let fill = 0;
  return createReader(
    LAUNCHER_HEADER_BYTES,
    (header) => {
      const [type, length] = [header.readUInt8(0), header.readUInt32BE(1)];
      if (!PARSERS.has(type)) throw new InvalidFrame(`an unknown frame type ${type}`);
      if (length > LAUNCHER_FRAME_BYTES) throw new InvalidFrame(`a frame of ${length} bytes`);
      return { type, length };
    },
    (type, piece, left) => {
      if (left > 0 || payload !== undefined) {
        // Copy the pieces, so that a frame in many pieces retains no more than its length.
        payload ??= Buffer.allocUnsafe(piece.length + left);
        fill += piece.copy(payload, fill);
      }
      if (left > 0) return;
      const whole = payload ?? piece;
      payload = undefined;
      fill = 0;
      const parse = PARSERS.get(type);
      if (parse !== undefined) onFrame(parse(whole));
    },
  );
}
