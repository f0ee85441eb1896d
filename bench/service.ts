/** Measures the service as a polling client sees it. */
import { setTimeout as sleep } from 'node:timers/promises';

import type { CheckOutputAnswer } from '@code-widgets/protocol';

import type { RunRequest } from '../test/helpers/client.js';
import type { Deployment } from '../test/helpers/deployment.js';
import { Page } from './page.js';

export interface Seen {
  /** From POST to the completed answer, in ms. */
  readonly completedMs: number;
  /** To the first answer with output of the program. */
  readonly firstByteMs: number;
  readonly polls: number;
  readonly status: number;
  /** Number of bytes on stdout. */
  readonly outputBytes: number;
}

const OF_THE_BUILD = /^Build completed/;

/** As in `npm start`, without a proxy, which would add a process. */
export const addressOf = ({ widgets: [widget] }: Deployment): string => widget?.base ?? '';

/** @param pollMs the pause after each answer; the first poll has none */
export async function runTimed(service: Deployment, request: RunRequest, pollMs: number): Promise<Seen> {
  const page = await Page.open(addressOf(service));
  try {
    const begin = performance.now();
    const { identifier } = (await page.post('/run_program/', { name: 'Demo', switches: {}, ...request })) as {
      identifier: string;
    };
    let firstByteMs = NaN;
    let outputBytes = 0;
    for (let polls = 1, read = 0; ; polls++, await sleep(pollMs)) {
      const answer = (await page.post('/check_output/', { identifier, read })) as CheckOutputAnswer;
      read += answer.output.length;
      for (const { msg } of answer.output) {
        if (msg.type !== 'stdout' || OF_THE_BUILD.test(msg.data)) continue;
        outputBytes += msg.data.length;
        if (Number.isNaN(firstByteMs)) firstByteMs = performance.now() - begin;
      }
      if (answer.completed)
        return { completedMs: performance.now() - begin, firstByteMs, polls, status: answer.status, outputBytes };
    }
  } finally {
    page.close();
  }
}
