/** A project as the zip that its download is answered with. */
import type { Readable } from 'node:stream';
import { ZipArchive } from 'archiver';

import type { SourceFile } from './source-file.js';

/**
 * The zip of a project's files, deflated, as a stream to be piped into the answer. Their names must
 * have been checked: they become paths where the zip is unpacked. A failure destroys the stream.
 */
export function archiveProject({ files }: { readonly files: readonly SourceFile[] }): Readable {
  const archive = new ZipArchive();
  for (const { basename, contents } of files) archive.append(contents, { name: basename });
  archive.finalize().catch((error: Error) => archive.destroy(error));
  return archive;
}

/**
 * The Content-Disposition header of a download called `<name>.zip`. Each character stands for one
 * byte of Latin-1, as Node writes headers.
 *
 * The existing frontend takes everything behind `filename=` for the name, quotes and all: it gets
 * no quotes where it can do without, and what it gets comes last.
 */
export function contentDisposition(name: string): string {
  const fileName = `${name.replace(/[\p{Cc}\p{Cs}]/gu, '_')}.zip`;
  const latin1 = fileName.replace(/[^\x20-\xff]/gu, '_');
  const extended = latin1 === fileName ? '' : `filename*=UTF-8''${percentEncode(fileName)}; `;
  return `attachment; ${extended}filename=${tokenOrQuoted(latin1)}`;
}

/** A parameter's value: a token (RFC 9110, 5.6.2) where it is one, a quoted string otherwise. */
function tokenOrQuoted(value: string): string {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`;
}

/** RFC 8187: encodeURIComponent leaves a few characters alone that may not stand in a parameter. */
function percentEncode(value: string): string {
  return encodeURIComponent(value).replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
