import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';

interface EngineEvent {
  readonly stream?: string;
  readonly status?: string;
  readonly error?: string;
}

/**
 * Reads what the engine says while it pulls, imports or builds, to its end, into `log` if there is one. The HTTP
 * answer is 200 even when the work fails: the failure is one of the lines.
 *
 * @returns the last status line, which for an import is the image's identifier
 */
export async function follow(answer: NodeJS.ReadableStream, log?: Writable): Promise<string> {
  let last = '';
  for await (const line of createInterface({ input: answer, crlfDelay: Infinity })) {
    if (!line) continue;
    const event = JSON.parse(line) as EngineEvent;
    if (event.error !== undefined) throw new Error(event.error.trim());
    log?.write(event.stream ?? `${event.status ?? ''}\n`);
    last = event.status ?? last;
  }
  return last;
}
