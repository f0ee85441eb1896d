import { setTimeout as sleep } from 'node:timers/promises';

import { connect } from 'amqplib';

import { Problem } from './report.js';

/** Where a broker is looked for that nobody has named. */
export const USUAL_URL = 'amqp://guest:guest@localhost:5672';
const HANDSHAKE_MS = 3_000;
/** A broker that is given may have been started a moment ago, by a compose file for instance. */
const GIVEN_MS = 10_000;

/**
 * The broker that is there already: the one at AMQP_URL, which has to answer, else one on
 * localhost:5672 if it is a broker and lets guest in; undefined when there is none.
 */
export async function findBroker(): Promise<string | undefined> {
  const given = process.env.AMQP_URL;
  if (!given) return (await brokerAnswers(USUAL_URL)) ? USUAL_URL : undefined;
  const deadline = performance.now() + GIVEN_MS;
  for (;;) {
    const refusal = await refusalOf(given);
    if (refusal === undefined) return given;
    if (performance.now() > deadline) {
      throw new Problem(`AMQP_URL=${withoutPassword(given)} does not answer: ${refusal}`);
    }
    await sleep(500);
  }
}

export async function brokerAnswers(url: string): Promise<boolean> {
  return (await refusalOf(url)) === undefined;
}

/** For a terminal or a log. */
export function withoutPassword(url: string): string {
  return url.replace(/:[^:@/]*@/, '@');
}

/** Why a broker does not let us in, undefined if it does. An open port alone is no broker. */
async function refusalOf(url: string): Promise<string | undefined> {
  try {
    const connection = await connect(url, { timeout: HANDSHAKE_MS });
    connection.on('error', () => {}); // It has let us in; how it ends does not matter.
    await connection.close();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
