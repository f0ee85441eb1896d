/** Collects a body in one growing buffer. Its cost depends on its bytes, not on its number of chunks. */
import type { IncomingMessage } from 'node:http';

import { errorCodes } from 'fastify';

import { TooManyBytes, type Lease } from './bytes-under-way.js';

const FIRST_BYTES = 1024;
/** Limited because Node needs about a microsecond for each chunk. Most clients send 4 MiB in 64 chunks. */
const MOST_CHUNKS = 20_000;

export class TooManyChunks extends Error {
  override name = 'TooManyChunks';
}

/** Rejects with FST_ERR_CTP_BODY_TOO_LARGE, TooManyChunks, TooManyBytes, or status 400 if the body breaks off. */
export function readBody(payload: IncomingMessage, limitBytes: number, lease: Lease): Promise<Buffer> {
  if (Number(payload.headers?.['content-length'] ?? 0) > limitBytes)
    return Promise.reject(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE());
  return new Promise((resolve, reject) => {
    let buffer = Buffer.alloc(0);
    let length = 0;
    let chunks = 0;

    const settle = (act: () => void) => {
      payload.off('data', onChunk).off('end', end).off('error', breakOff).off('close', breakOff);
      act();
    };
    const onChunk = (chunk: Buffer) => {
      const needed = length + chunk.length;
      if (needed > limitBytes) return settle(() => reject(new errorCodes.FST_ERR_CTP_BODY_TOO_LARGE()));
      if (++chunks > MOST_CHUNKS)
        return settle(() =>
          reject(new TooManyChunks(`The body comes in more than ${MOST_CHUNKS} chunks; send larger ones.`)),
        );
      if (needed > buffer.length) {
        const size = Math.min(limitBytes, Math.max(needed, 2 * buffer.length, FIRST_BYTES));
        if (size - buffer.length > lease.room()) return settle(() => reject(new TooManyBytes(TOO_MANY_BYTES)));
        lease.hold(size);
        const larger = Buffer.allocUnsafeSlow(size);
        buffer.copy(larger, 0, 0, length);
        buffer = larger;
      }
      length += chunk.copy(buffer, length);
    };
    const end = () => settle(() => resolve(buffer.subarray(0, length)));
    const breakOff = () => settle(() => reject(Object.assign(new Error('The body broke off.'), { statusCode: 400 })));

    payload.on('data', onChunk).on('end', end).on('error', breakOff).on('close', breakOff);
  });
}

const TOO_MANY_BYTES = 'Too many bytes of requests are on their way. Try again in a moment.';
