import { inflateRawSync } from 'node:zlib';

export interface ZipEntry {
  readonly name: string;
  readonly content: Buffer;
  /** Whether the archive marks the name as UTF-8; otherwise readers assume CP 437. */
  readonly utf8: boolean;
  readonly deflated: boolean;
}

/** The entries of a small zip archive, in the order of its central directory. */
export function unzip(zip: Buffer): ZipEntry[] {
  const end = zip.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  if (end < 0) throw new Error('no zip archive: it has no end of central directory');
  const entries: ZipEntry[] = [];
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [flags, method, nameLength, extraLength, commentLength] = [
      zip.readUInt16LE(at + 8),
      zip.readUInt16LE(at + 10),
      zip.readUInt16LE(at + 28),
      zip.readUInt16LE(at + 30),
      zip.readUInt16LE(at + 32),
    ] as const;
    const [packedSize, local] = [zip.readUInt32LE(at + 20), zip.readUInt32LE(at + 42)] as const;
    // The lengths of name and extra field may differ in the local header.
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const packed = zip.subarray(start, start + packedSize);
    const deflated = method === 8;
    entries.push({
      name: zip.toString('utf8', at + 46, at + 46 + nameLength),
      content: deflated ? inflateRawSync(packed) : packed,
      utf8: (flags & 0x800) !== 0,
      deflated,
    });
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}

/** The statements of project files and pragma files, without comments, blank lines and spacing. */
export function statements(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/--.*/, '').replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '');
}
