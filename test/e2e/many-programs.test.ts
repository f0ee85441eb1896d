import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect } from 'amqplib';

import { runProgram, text, verdict } from '../helpers/client.js';
import { containersOf, deploy, stop, type Deployment } from '../helpers/deployment.js';
import { environment } from '../helpers/environment.js';

/** Raise it by hand: PROGRAMS=500 npm test -- test/e2e/many-programs */
const PROGRAMS = Number(process.env.PROGRAMS ?? 60);
const AT_A_TIME = 4;
const REPLY_EXPIRY_MS = 3000;

let service: Deployment;
beforeAll(async () => {
  service = await deploy({ widgets: 2, workers: 2, env: { REPLY_EXPIRY_MS: String(REPLY_EXPIRY_MS) } });
}, 60_000);
afterAll(() => service.end(), 60_000);

const BUILT = 'Build completed successfully.';
const numbers = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

/** Kinds of programs, each with its complete expected output. */
const KINDS: ((n: number) => Promise<void>)[] = [
  async (n) => {
    const contents = `with Ada.Text_IO;\nprocedure P is\nbegin\n   for I in 1 .. 300 loop\n      Ada.Text_IO.Put_Line ("${n}:" & I'Image);\n   end loop;\nend P;\n`;
    const result = await runProgram(service.base, { mode: 'run', files: [{ basename: 'p.adb', contents }] });
    expect(result.status).toBe(0);
    expect(text(result, 'stdout')).toBe(
      BUILT +
        numbers(300)
          .map((i) => `${n}: ${i}\n`)
          .join(''),
    );
  },
  async (n) => {
    const contents = `#include <stdio.h>\n#include <unistd.h>\nint main(void) { for (int i = 1; i <= 5; i++) { printf("${n}:%d\\n", i); fflush(stdout); usleep(60000); } fprintf(stderr, "end ${n}\\n"); return ${n % 100}; }\n`;
    const result = await runProgram(service.base, { mode: 'run', files: [{ basename: 'main.c', contents }] });
    expect(result.status).toBe(n % 100);
    expect(text(result, 'stdout')).toBe(
      BUILT +
        numbers(5)
          .map((i) => `${n}:${i}\n`)
          .join(''),
    );
    expect(text(result, 'stderr')).toBe(`end ${n}\n`);
  },
  async (n) => {
    const contents = `procedure P is\nbegin\n   Missing_${n};\nend P;\n`;
    const result = await runProgram(service.base, { mode: 'compile', files: [{ basename: 'p.adb', contents }] });
    expect(result.status).toBe(4);
    expect(text(result, 'stderr')).toContain(`"Missing_${n}" is undefined`);
  },
  async (n) => {
    const contents = `with Ada.Text_IO;\nwith Ada.Command_Line;\nprocedure P is\nbegin\n   Ada.Text_IO.Put_Line (Ada.Command_Line.Argument (1));\nend P;\n`;
    const lab = `in 1: ${n}\nout 1:${n}\nin 2: ${n}\nout 2:${n + 1}\n`;
    const files = [
      { basename: 'p.adb', contents },
      { basename: 'lab_io.txt', contents: lab },
    ];
    const result = await runProgram(service.base, { mode: 'submit', files });
    expect(verdict(result)).toMatchObject({
      success: false,
      cases: { 1: { status: 'Success' }, 2: { status: 'Failed' } },
    });
  },
];

describe(`${PROGRAMS} programs, ${AT_A_TIME} at a time`, () => {
  it(
    'each have their complete output in order, and leave no containers or queues',
    async () => {
      let next = 0;
      const client = async () => {
        for (let n = next++; n < PROGRAMS; n = next++) await (KINDS[n % KINDS.length] as (typeof KINDS)[0])(n);
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, client));

      await new Promise((resolve) => setTimeout(resolve, REPLY_EXPIRY_MS + 2000));
      const ended = service.log().filter(({ outcome }) => outcome !== undefined);
      expect(ended).toHaveLength(PROGRAMS);
      expect(ended.filter(({ outcome }) => outcome !== 'success')).toEqual([]);
      // The warm containers go with their workers.
      await Promise.all(service.workers.map((worker) => stop(worker)));
      expect(await containersOf(service.namespace)).toBe(0);
      const left = await queuesLeft([
        ...ended.map(({ identifier }) => `${service.namespace}.reply.${String(identifier)}`),
        `${service.namespace}.tasks`,
        `${service.namespace}.dead`,
      ]);
      expect(left).toEqual([
        { queue: `${service.namespace}.tasks`, messageCount: 0 },
        { queue: `${service.namespace}.dead`, messageCount: 0 },
      ]);
    },
    (60 + PROGRAMS * 5) * 1000,
  );
});

/** The existing queues among `names`, with their message counts. */
async function queuesLeft(names: string[]): Promise<{ queue: string; messageCount: number }[]> {
  const connection = await connect(environment('AMQP_URL'));
  const left: { queue: string; messageCount: number }[] = [];
  for (const name of names) {
    // A missing queue closes the channel, so each check has its own.
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    await channel.checkQueue(name).then(
      ({ queue, messageCount }) => left.push({ queue, messageCount }),
      () => undefined,
    );
  }
  await connection.close();
  return left;
}
