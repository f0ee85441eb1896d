/** Sends inputs over kept connections, as a proxy in front of a widget does. */
import { Agent, request } from 'node:http';

import type { Answer } from './answers.js';
import { bytesOf } from './edits.js';
import type { Input } from './requests.js';

const ANSWER_MS = 20_000;

export class HttpClient {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 32 });

  constructor(private readonly base: string) {}

  /** Rejects without a complete answer. */
  async send(input: Input): Promise<Answer> {
    try {
      return await this.sendOnce(input);
    } catch (error) {
      // A server may close a kept connection just when it is reused, so clients retry once.
      if (!(error instanceof Error && 'isReused' in error)) throw error;
      return this.sendOnce(input);
    }
  }

  private sendOnce({ method, path, headers, body }: Input): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request(this.base, {
        agent: this.agent,
        method,
        path,
        headers: { ...headers, 'content-length': String(body.length) },
      });
      const fail = (error: Error & { code?: string }) => {
        if (sent.reusedSocket && error.code === 'ECONNRESET') Object.assign(error, { isReused: true });
        reject(error);
      };
      sent.setTimeout(ANSWER_MS, () => sent.destroy(new Error(`no answer within ${ANSWER_MS} ms`)));
      sent.on('error', fail);
      sent.on('response', (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', fail);
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
        );
      });
      sent.end(bytesOf(body));
    });
  }

  close(): void {
    this.agent.destroy();
  }
}
