/** A rolling restart under load: every process is replaced, and clients notice nothing. */
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, describe, expect, it } from '@jest/globals';

import { runProgram, text, type RunResult } from '../helpers/client.js';
import { deploy, stop, type Deployment } from '../helpers/deployment.js';

const CLIENTS = 4;
const LINES = 8;
const BUILT = 'Build completed successfully.';
const NOTICE = /started again/;

let service: Deployment;
afterEach(() => service.end(), 60_000);

/** A program that prints its number in lines, one by one. */
const program = (number: number) => {
  const body = `for (int i = 1; i <= ${LINES}; i++) { printf("${number}:%d\\n", i); fflush(stdout); usleep(100000); } return 0;`;
  const contents = `#include <stdio.h>\n#include <unistd.h>\nint main(void) { ${body} }\n`;
  return { mode: 'run', files: [{ basename: 'main.c', contents }] };
};
const shown = (number: number) => BUILT + Array.from({ length: LINES }, (_, i) => `${number}:${i + 1}\n`).join('');

interface Ended {
  number: number;
  result: RunResult;
}

/** Clients that run programs until they are told to end; any status other than 200 rejects. */
function load() {
  const ended: Ended[] = [];
  let [count, ending] = [0, false];
  const client = async () => {
    while (!ending) {
      const number = ++count;
      ended.push({ number, result: await runProgram(service.base, program(number)) });
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, client));
  clients.catch(() => undefined); // Awaited at the end.
  return {
    ended,
    /** Resolves when that many more programs have ended; rejects if a client has failed. */
    async further(programs: number) {
      const enough = ended.length + programs;
      while (ended.length < enough) await Promise.race([sleep(100), clients.then(() => sleep(100))]);
    },
    async end() {
      ending = true;
      await clients;
    },
  };
}

/** Starts a new worker before each old one ends, and ends each widget before its successor starts. */
async function replaceAll(settings: Record<string, string>): Promise<Ended[]> {
  service = await deploy({ widgets: 2, workers: 2, env: settings });
  const clients = load();
  await clients.further(CLIENTS);
  for (const worker of [...service.workers]) {
    await service.addWorker();
    expect(await stop(worker)).toBe(0);
    await clients.further(2);
  }
  for (const widget of [...service.widgets]) {
    expect(await stop(widget.process)).toBe(0);
    await service.addWidget();
    await clients.further(2);
  }
  await clients.end();
  return clients.ended;
}

describe('a rolling restart under load', () => {
  it('is not visible to any client if workers have time to finish', async () => {
    const ended = await replaceAll({ SHUTDOWN_GRACE_MS: '60000' });
    for (const { number, result } of ended) {
      expect(text(result, 'stdout')).toBe(shown(number));
      expect([result.status, result.message, text(result, 'stderr')]).toEqual([0, 'SUCCESS', '']);
    }
    expect(service.log().filter(({ outcome }) => outcome === 'retry')).toEqual([]);
  }, 180_000);

  it('loses no output if workers requeue their tasks', async () => {
    const ended = await replaceAll({ SHUTDOWN_GRACE_MS: '100' });
    for (const { number, result } of ended) {
      const at = result.output.findIndex(({ msg }) => msg.type === 'stderr' && NOTICE.test(msg.data));
      expect(text({ output: result.output.slice(at + 1) }, 'stdout')).toBe(shown(number));
      expect([result.status, result.message]).toEqual([0, 'SUCCESS']);
    }
    // Otherwise no task was requeued, and the test proves nothing.
    expect(service.log().filter(({ outcome }) => outcome === 'retry').length).toBeGreaterThan(0);
  }, 180_000);
});
