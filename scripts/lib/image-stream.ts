import { createInterface } from 'node:readline';
import type { Writable } from 'node:stream';

interface EngineEvent {
  readonly stream?: string;
  readonly status?: string;
  readonly error?: string;
}

/**
 * Reads the engine's messages of a pull, import or build to their end, and copies them to `log`. The HTTP
 * status is 200 even for a failure, which is one of the messages.
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
