/** Many pages that poll tasks which go on, beside a few programs that build. */
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { connect } from 'amqplib';

import { submit } from '../test/helpers/client.js';
import type { Deployment } from '../test/helpers/deployment.js';
import { environment } from '../test/helpers/environment.js';
import type { Bench, Figures } from './bench.js';
import { inTurns } from './loads.js';
import { c, hello } from './programs.js';
import { runTimed } from './service.js';
import { median, quantile, timed } from './statistics.js';

const PAGES = 500;
const PAUSE_MS = 250;
const ROUNDS = 3;

/** Tasks of a service without workers, which are polled and never end: they are out of the queue again. */
async function neverEnding({ base, namespace }: Deployment, count: number): Promise<string[]> {
  const identifiers: string[] = [];
  await inTurns(count, 20, async () => identifiers.push(await submit(base, c())));
  const connection = await connect(environment('AMQP_URL'));
  const channel = await connection.createChannel();
  await channel.purgeQueue(`${namespace}.tasks`);
  await connection.close();
  return identifiers;
}

export const pollers = (bench: Bench) => bench.withAnother({}, 0, async (service): Promise<Figures> => {
  // As `npm start` has it: a proxy would be one more process on the way, and not the service's.
  const [base = ''] = service.widgets.map((widget) => widget.base);
  const identifiers = await neverEnding(service, PAGES);
  await service.addWorker();
  const build = () => timed(() => inTurns(12, 2, () => runTimed(base, hello(), PAUSE_MS)));
  const alone: number[] = [];
  const beside: number[] = [];
  const pollMs: number[] = [];
  await build();
  for (let round = 0; round < ROUNDS; round++) {
    await bench.rest();
    alone.push(await build());
    let polled = false;
    const polling = identifiers.map(async (identifier, i) => {
      await sleep((i * PAUSE_MS) / PAGES);
      const page = await PollingPage.open(base, identifier);
      for (; !polled; await sleep(PAUSE_MS)) pollMs.push(await timed(() => page.poll()));
      page.close();
    });
    await bench.rest();
    beside.push(await build());
    polled = true;
    await Promise.all(polling);
  }
  const slower = median(beside) / median(alone);
  const note = `the builds ${slower.toFixed(2)} x slower; p50 ${median(pollMs).toFixed(1)} ms`;
  return { service: quantile(pollMs, 0.99), unit: 'ms', samples: pollMs.length, note };
});

/**
 * A page with a connection of its own, of which a browser has one for each. It does as little as it
 * can, since it has its processor time from the service that it measures.
 */
class PollingPage {
  private readonly request: string;
  private said = '';
  private settle?: { answered: () => void; failed: (error: Error) => void };

  private constructor(
    private readonly socket: Socket,
    identifier: string,
  ) {
    const body = JSON.stringify({ identifier, read: 0 });
    this.request = `POST /check_output/ HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    socket.setEncoding('latin1').on('data', (text: string) => this.hear(text));
    socket.on('close', () => this.settle?.failed(new Error('the service has closed the connection')));
  }

  static async open(base: string, identifier: string): Promise<PollingPage> {
    const { hostname, port } = new URL(base);
    const socket = connectTcp({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    return new PollingPage(socket, identifier);
  }

  poll(): Promise<void> {
    this.said = '';
    return new Promise((answered, failed) => {
      this.settle = { answered, failed };
      this.socket.write(this.request);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private hear(text: string): void {
    this.said += text;
    const bodyAt = this.said.indexOf('\r\n\r\n') + 4;
    const length = /^content-length: (\d+)/im.exec(this.said)?.[1];
    if (bodyAt < 4 || this.said.length - bodyAt < Number(length)) return;
    if (this.said.startsWith('HTTP/1.1 200 ')) this.settle?.answered();
    else this.settle?.failed(new Error(`a poll was answered with ${this.said}`));
  }
}
