/** The service's side of a measurement: a client that polls, and times what it sees. */
import { setTimeout as sleep } from 'node:timers/promises';

import { poll, submit, type RunRequest } from '../test/helpers/client.js';

export interface Seen {
  /** From POST to the answer that says completed, in ms. */
  readonly completedMs: number;
  /** To the first answer with output of the program itself. */
  readonly firstByteMs: number;
  readonly polls: number;
  readonly status: number;
  /** Bytes that came as stdout. */
  readonly outputBytes: number;
}

const OF_THE_BUILD = /^Build completed/;

/** @param pollMs the pause after each answer; the first poll comes at once */
export async function runTimed(base: string, request: RunRequest, pollMs: number): Promise<Seen> {
  const begin = performance.now();
  const identifier = await submit(base, request);
  let firstByteMs = NaN;
  let outputBytes = 0;
  for (let polls = 1, read = 0; ; polls++, await sleep(pollMs)) {
    const answer = await poll(base, identifier, read);
    read += answer.output.length;
    for (const { msg } of answer.output) {
      if (msg.type !== 'stdout' || OF_THE_BUILD.test(msg.data)) continue;
      outputBytes += msg.data.length;
      if (Number.isNaN(firstByteMs)) firstByteMs = performance.now() - begin;
    }
    if (answer.completed) return { completedMs: performance.now() - begin, firstByteMs, polls, status: answer.status, outputBytes };
  }
}
