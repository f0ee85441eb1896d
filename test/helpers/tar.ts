/** Reads tar archives as the engine writes them: ustar headers, with PAX records where needed. */
import type { Readable } from 'node:stream';

const BLOCK = 512;

export interface TarEntry {
  /** Without a leading or trailing slash. */
  readonly path: string;
  readonly type: 'file' | 'folder' | 'other';
  /** Permission bits, including set-uid and set-gid. */
  readonly mode: number;
  /** PAX records by name, including extended attributes. */
  readonly records: ReadonlyMap<string, string>;
  readonly content: Buffer;
}

/**
 * Yields the entries one by one; the archive may exceed memory, but not a single file. Always reads the stream
 * to its end.
 */
export async function* tarEntries(archive: Readable): AsyncGenerator<TarEntry> {
  const take = taker(archive);
  let records = new Map<string, string>();
  try {
    for (;;) {
      const header = await take(BLOCK);
      if (header.every((byte) => byte === 0)) return;
      const text = (from: number, to: number) => header.toString('utf8', from, to).replace(/\0.*$/s, '');
      const size = records.has('size') ? Number(records.get('size')) : parseInt(text(124, 136), 8);
      const content = (await take(Math.ceil(size / BLOCK) * BLOCK)).subarray(0, size);
      const type = text(156, 157);
      if (type === 'x') {
        records = paxRecords(content);
        continue;
      }
      const name = records.get('path') ?? [text(345, 500), text(0, 100)].filter(Boolean).join('/');
      yield {
        path: name.replace(/^\.?\/|\/$/g, ''),
        type: type === '0' ? 'file' : type === '5' ? 'folder' : 'other',
        mode: parseInt(text(100, 108), 8),
        records,
        content,
      };
      records = new Map();
    }
  } finally {
    archive.destroy();
  }
}

/** Returns a function that reads an exact number of bytes and fails at an early end. */
function taker(stream: Readable): (size: number) => Promise<Buffer> {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
  let rest: Buffer = Buffer.alloc(0);
  return async (size) => {
    const parts = [rest];
    for (let have = rest.length; have < size;) {
      const { value } = await chunks.next();
      if (value === undefined) throw new Error('the archive ends in the middle');
      parts.push(value);
      have += value.length;
    }
    const all = parts.length === 1 ? rest : Buffer.concat(parts);
    rest = all.subarray(size);
    return all.subarray(0, size);
  };
}

/** Parses lines of "LENGTH KEY=VALUE"; the length includes the whole line in bytes. */
function paxRecords(content: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < content.length;) {
    const length = parseInt(content.toString('latin1', at, at + 20), 10);
    const line = content.toString('utf8', at, at + length - 1);
    const [, key, value] = /^\d+ ([^=]+)=(.*)$/s.exec(line) ?? [];
    if (key === undefined || value === undefined) throw new Error('a PAX record cannot be read');
    records.set(key, value);
    at += length;
  }
  return records;
}
