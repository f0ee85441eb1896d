import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OutputItem } from '@code-widgets/protocol';

import { collect, poll, post, runProgram, submit, text } from '../helpers/client.js';
import { deploy, type Deployment } from '../helpers/deployment.js';

const COUNT = {
  basename: 'count.adb',
  contents: `with Ada.Text_IO; use Ada.Text_IO;
procedure Count is
begin
   for I in 1 .. 20 loop
      Put_Line ("line" & Integer'Image (I));
      delay 0.1;
   end loop;
end Count;
`,
};
const LINES = Array.from({ length: 20 }, (_, i) => `line ${i + 1}\n`).join('');
const SHOWN = `Build completed successfully.${LINES}`;

let service: Deployment;
beforeAll(async () => {
  service = await deploy({ widgets: 2, workers: 1 });
}, 60_000);
afterAll(() => service.end(), 60_000);

const run = () => submit(service.base, { files: [COUNT], mode: 'run' });
const base = (i: number) => (service.widgets[i % 2] as (typeof service.widgets)[0]).base;

describe('with two widgets', () => {
  it('output is visible while it grows', async () => {
    const seen: number[] = [];
    const result = await collect(service.base, await run(), {
      onAnswer: ({ output }) => output.length && seen.push(Date.now()),
    });
    expect(text(result, 'stdout')).toBe(SHOWN);
    expect(seen.length).toBeGreaterThan(5);
    expect(seen.at(-1) as number).toBeGreaterThan((seen[1] as number) + 1000);
  });

  it('both show the end any number of times', async () => {
    const { identifier, output } = await collect(service.base, await run());
    for (let i = 0; i < 6; i++) {
      expect(await poll(base(i), identifier, output.length)).toEqual({
        output: [],
        completed: true,
        status: 0,
        message: 'SUCCESS',
      });
    }
  });

  it('a lost answer is repeated, and no item comes twice', async () => {
    const identifier = await run();
    const output: OutputItem[] = [];
    for (let i = 0; ; i++) {
      const answer = await poll(base(i), identifier, output.length);
      // Every other answer is lost.
      if (i % 2 === 0) {
        output.push(...answer.output);
        if (answer.completed) break;
      }
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    expect(text({ output }, 'stdout')).toBe(SHOWN);
  });

  it('two concurrent polls both continue where the client is', async () => {
    const identifier = await run();
    const output: OutputItem[] = [];
    for (let completed = false; !completed;) {
      const answers = await Promise.all([0, 1].map((i) => poll(base(i), identifier, output.length)));
      // Both start at the same item; the later one may contain more.
      const [short, long] = answers.sort((a, b) => a.output.length - b.output.length) as [
        (typeof answers)[0],
        (typeof answers)[0],
      ];
      const shared = (items: OutputItem[]) => text({ output: items }, 'stdout');
      expect(shared(long.output).startsWith(shared(short.output))).toBe(true);
      output.push(...long.output);
      completed = long.completed;
    }
    expect(text({ output }, 'stdout')).toBe(SHOWN);
  });

  it('a client without `read` gets each item once from any widget', async () => {
    const identifier = await run();
    const output: OutputItem[] = [];
    for (let i = 0, completed = false; !completed; i++) {
      const answer = await poll(base(i), identifier);
      output.push(...answer.output);
      completed = answer.completed;
    }
    expect(text({ output }, 'stdout')).toBe(SHOWN);
    expect(await poll(service.base, identifier)).toMatchObject({ output: [], completed: true });
  });

  it('both answer 404 for an unknown identifier', async () => {
    for (const i of [0, 1]) {
      const { status } = await post(base(i), '/check_output/', {
        identifier: '99999999-2222-4333-8444-555555555555',
        read: 0,
      });
      expect(status).toBe(404);
    }
  });

  it('concurrent programs all end with complete output in order', async () => {
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, i) => {
        const contents = `#include <stdio.h>\nint main(void) { for (int i = 0; i < 500; i++) printf("${i}:%d\\n", i); return ${i}; }\n`;
        return runProgram(service.base, { files: [{ basename: 'main.c', contents }], mode: 'run' });
      }),
    );
    results.forEach((result, i) => {
      expect(result.status).toBe(i);
      expect(text(result, 'stdout')).toBe(
        `Build completed successfully.${Array.from({ length: 500 }, (_, n) => `${i}:${n}\n`).join('')}`,
      );
    });
  }, 60_000);
});
