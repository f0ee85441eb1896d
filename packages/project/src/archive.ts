/** Makes the zip file of a download. */
import type { Readable } from 'node:stream';
import { ZipArchive } from 'archiver';

import type { SourceFile } from './source-file.js';

/**
 * Streams the files as a zip. Their names, which become paths, must have been checked. A failure destroys the stream.
 */
export function archiveProject({ files }: { readonly files: readonly SourceFile[] }): Readable {
  const archive = new ZipArchive();
  for (const { basename, contents } of files) archive.append(contents, { name: basename });
  archive.finalize().catch((error: Error) => archive.destroy(error));
  return archive;
}

/**
 * The Content-Disposition header for `<name>.zip`. Each character is one byte of Latin-1, as Node writes it. The
 * existing frontend takes everything behind `filename=` for the name, quotes included. So that parameter is last, and
 * quoted only if necessary.
 */
export function contentDisposition(name: string): string {
  const fileName = `${name.replace(/[\p{Cc}\p{Cs}]/gu, '_')}.zip`;
  const latin1 = fileName.replace(/[^\x20-\xff]/gu, '_');
  const extended = latin1 === fileName ? '' : `filename*=UTF-8''${percentEncode(fileName)}; `;
  return `attachment; ${extended}filename=${tokenOrQuoted(latin1)}`;
}

/** A token (RFC 9110, 5.6.2) if possible, otherwise a quoted string. */
function tokenOrQuoted(value: string): string {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/** RFC 8187 forbids some characters that encodeURIComponent leaves as they are. */
function percentEncode(value: string): string {
  return encodeURIComponent(value).replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
