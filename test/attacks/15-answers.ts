/** Small requests that cause large answers, bodies or searches: their cost for the widget and for other clients. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import type { CheckOutputAnswer } from '@code-widgets/protocol';

import { submit, type RunRequest } from '../helpers/client.js';
import { eventually } from '../helpers/eventually.js';
import { held, made, type Attack } from './lib/attack.js';
import { answerTo, head, open, posting, processorMs, writeAll } from './lib/clients.js';
import { growthOf } from './lib/memory.js';
import type { World } from './lib/world.js';

const KIB = 1024;
const MIB = 1024 * KIB;
/** Maximum size of an answer, including one message over the limit. */
const LARGEST_ANSWER = 2 * MIB;
/** Maximum size of a task's answers: 1 MiB of output, six bytes of JSON each, and the service's messages. */
const LARGEST_TASK = 11 * MIB;
const WIDGET_MAY_GROW = 160 * MIB;
const CONTROLS = '\u0001';
/** Length of the longest file. */
const LONGEST = 49_999;

/** Expensive attacks run one after another, so that each one's cost can be measured. */
let turn: Promise<unknown> = Promise.resolve();
const inTurn = (name: string, tries: string, attack: Attack['attack']): Attack => ({
  name,
  tries,
  attack: (world, token) => {
    const mine = turn.then(() => attack(world, token));
    turn = mine.catch(() => undefined);
    return mine;
  },
});

const file = (basename: string, contents: string) => ({ basename, contents });
const labOf = (count: number) =>
  file('lab_io.txt', Array.from({ length: count }, (_, i) => `out ${i + 1}: x\n`).join(''));
/** Writes control characters, each of which takes six bytes in JSON. */
const writes = (bytes: number) =>
  file(
    'main.c',
    `#include <unistd.h>
static char b[${bytes}];
int main(void) { for (unsigned i = 0; i < sizeof b; i++) b[i] = 1; for (unsigned n = 0; n < sizeof b; ) n += write(1, b + n, sizeof b - n); return 0; }\n`,
  );
const MUCH: RunRequest = { mode: 'run', files: [writes(MIB - 8)] };
const LAB: RunRequest = {
  mode: 'submit',
  files: [writes(20_000), file('cli.txt', CONTROLS.repeat(LONGEST)), labOf(50)],
};

/** Polls as the oldest page does, with `read`; returns each answer's size. */
async function sizesOf(
  { service: { base } }: World,
  request: RunRequest,
): Promise<{ sizes: number[]; items: CheckOutputAnswer['output'] }> {
  const identifier = await submit(base, request);
  const sizes: number[] = [];
  const items: CheckOutputAnswer['output'] = [];
  for (;;) {
    const answer = await fetch(`${base}/check_output/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ identifier, read: items.length }),
    });
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`a poll is answered with ${answer.status}: ${text.slice(0, 200)}`);
    sizes.push(Buffer.byteLength(text));
    const { output, completed } = JSON.parse(text) as CheckOutputAnswer;
    items.push(...output);
    if (completed) return { sizes, items };
    await sleep(250);
  }
}

const swelling = (name: string, tries: string, request: RunRequest): Attack =>
  inTurn(name, tries, async (world) => {
    const { sizes } = await sizesOf(world, request);
    const sum = sizes.reduce((total, size) => total + size, 0);
    held(Math.max(...sizes) < LARGEST_ANSWER, `an answer of ${Math.max(...sizes)} bytes`);
    held(sum < LARGEST_TASK, `${sum} bytes for one task`);
  });

/** The identifier of a finished task with the maximum output. */
async function finished({ service }: World, request: RunRequest): Promise<string> {
  const identifier = await submit(service.base, request);
  const hasEnded = () => service.log().some((line) => line.identifier === identifier && line.outcome === 'success');
  await eventually('the task has ended', hasEnded, { limitMs: 60_000, everyMs: 200 });
  return identifier;
}

const widgetOf = ({ service: { widgets } }: World) => widgets.map(({ process }) => process);

/** Bodies that are expensive to parse must be refused at once. */
const heavy = (name: string, tries: string, path: string, status: number, members: string): Attack =>
  inTurn(name, tries, async (world) => {
    const one = `{${members.split('|')[0]}`,
      value = members.split('|')[1] ?? '',
      end = ']}';
    const body =
      one +
      Array(Math.floor((4 * MIB - one.length - end.length - 1) / (value.length + 1)))
        .fill(value)
        .join(',') +
      end;
    const [widget] = widgetOf(world);
    const before = processorMs(widget as NonNullable<typeof widget>);
    for (let i = 0; i < 4; i++) {
      const answer = await fetch(world.service.base + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      }).then(
        (each) => each.status,
        () => 413,
      );
      held(answer === status, `answered with ${answer}`);
    }
    const ms = processorMs(widget as NonNullable<typeof widget>) - before;
    held(ms < 1500, `${ms} ms of the widget's time for four requests`);
  });

const SOURCES = '"mode":"compile","files":[{"basename":"main.c","contents":"int main(void) { return 0; }"}]';

export const attacks: Attack[] = [
  swelling('what a lab announces', 'Has the arguments of fifty lab cases announced, 50,000 characters each.', LAB),
  swelling('what a verdict repeats', 'Has all of its output once more in the verdict.', {
    mode: 'submit',
    files: [writes(MIB - 8), labOf(1)],
  }),
  swelling('all of the output at once', 'Has 1 MiB of characters answered at once, six bytes of JSON each.', MUCH),
  swelling('an answer of tiny items', 'Changes between stdout and stderr with each byte, so that each is an item.', {
    mode: 'run',
    files: [
      file(
        'main.c',
        '#include <unistd.h>\nint main(void) { for (int i = 0; i < 300000; i++) write(1 + i % 2, "\\n", 1); return 0; }\n',
      ),
    ],
  }),
  {
    name: 'an announcement that is cut',
    tries: 'Looks whether a program misses the arguments that its announcement leaves out.',
    async attack(world) {
      const words = 'a'.repeat(LONGEST);
      const source =
        '#include <stdio.h>\n#include <string.h>\nint main(int n, char **v) { printf("%d %zu\\n", n, strlen(v[1])); return 0; }\n';
      const { items } = await sizesOf(world, { mode: 'run', files: [file('main.c', source), file('cli.txt', words)] });
      const texts = items.map(({ msg }) => (msg.type === 'lab' ? '' : msg.data));
      held(texts.includes(`2 ${LONGEST}\n`), 'arguments that did not come');
      held(Math.max(...texts.map((text) => text.length)) < 8 * KIB, 'an announcement of all the arguments');
    },
  },
  inTurn(
    'unread answers',
    'Polls a task with much to read from a hundred connections, and reads none of the answers.',
    async (world) => {
      const identifier = await finished(world, MUCH);
      const grown = await growthOf(widgetOf(world), async () => {
        const sockets = await Promise.all(
          Array.from({ length: 100 }, (_, i) => open(world.service.base, 20 + (i % 25))),
        );
        for (const socket of sockets)
          socket.pause().write(posting('/check_output/', JSON.stringify({ identifier, read: 0 })).repeat(4));
        await sleep(6000);
        for (const socket of sockets) socket.destroy();
      });
      held(grown < WIDGET_MAY_GROW, `${Math.round(grown / MIB)} MiB more in the widget`);
    },
  ),
  inTurn(
    'many polls of large answers at once',
    'Polls a task with much to read sixteen times at once, so that others wait for the widget.',
    async (world) => {
      const identifier = await finished(world, LAB);
      const [widget] = widgetOf(world);
      const before = processorMs(widget as NonNullable<typeof widget>);
      const polls = Array.from({ length: 16 }, async () => {
        const answer = await fetch(`${world.service.base}/check_output/`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ identifier, read: 0 }),
        });
        return (await answer.text()).length;
      });
      const sizes = await Promise.all(polls);
      held(Math.max(...sizes) < LARGEST_ANSWER, `an answer of ${Math.max(...sizes)} bytes`);
      const ms = processorMs(widget as NonNullable<typeof widget>) - before;
      held(ms < 4000, `${ms} ms of the widget's time`);
    },
  ),
  heavy(
    'a large body for a poll',
    'Sends 4 MiB of objects where 60 bytes are needed.',
    '/check_output/',
    413,
    '"identifier":"x","z":[|{}',
  ),
  heavy(
    'a million objects',
    'Sends a run with a million objects in a member that nobody reads.',
    '/run_program/',
    400,
    `${SOURCES},"z":[|{}`,
  ),
  heavy(
    'a million numbers',
    'Sends a run with two million numbers in a member that nobody reads.',
    '/run_program/',
    400,
    `${SOURCES},"z":[|0`,
  ),
  heavy(
    'a download of a million lists',
    'Sends a download with a million lists, each a value that is checked.',
    '/download/',
    400,
    '"name":"x","files":[],"z":[|[]',
  ),
  inTurn(
    'chunks of one byte',
    'Sends 4 MiB of bodies in chunks of one byte each, which cost memory and time by their number.',
    async (world) => {
      const chunks = Buffer.from('1\r\n \r\n'.repeat(10_000));
      const [widget] = widgetOf(world);
      const before = processorMs(widget as NonNullable<typeof widget>);
      const grown = await growthOf(widgetOf(world), async () => {
        await Promise.all(
          [1, 2, 3, 4].map(async (from) => {
            const socket = await open(world.service.base, from + 50);
            await writeAll(
              socket,
              [head('/run_program/', 'Transfer-Encoding: chunked'), ...Array<Buffer>(100).fill(chunks)],
              30_000,
            );
            await sleep(500);
            socket.destroy();
          }),
        );
      });
      held(grown < 80 * MIB, `${Math.round(grown / MIB)} MiB more in the widget`);
      const ms = processorMs(widget as NonNullable<typeof widget>) - before;
      held(ms < 1500, `${ms} ms of the widget's time`);
    },
  ),
  inTurn(
    'endless bodies',
    'Sends all of the longest body but its last byte, on a hundred connections from twenty-five addresses.',
    async (world) => {
      const part = Buffer.alloc(4 * MIB - 2, ' ');
      const grown = await growthOf(widgetOf(world), async () => {
        const sockets = await Promise.all(
          Array.from({ length: 100 }, (_, i) => open(world.service.base, 80 + (i % 25))),
        );
        await Promise.all(
          sockets.map((socket) => writeAll(socket, [head('/run_program/', `Content-Length: ${4 * MIB}`), part], 8000)),
        );
        await sleep(1000);
        for (const socket of sockets) socket.destroy();
      });
      held(grown < WIDGET_MAY_GROW, `${Math.round(grown / MIB)} MiB more in the widget`);
    },
  ),
  {
    name: 'unknown identifiers',
    tries: 'Polls identifiers that no task has without end, each of which the broker looks for.',
    async attack(world) {
      const statuses = await Promise.all(
        Array.from({ length: 400 }, async () => {
          const answer = await answerTo(
            await open(world.service.base, 120),
            posting('/check_output/', JSON.stringify({ identifier: randomUUID(), read: 0 }), 'Connection: close'),
            20_000,
          );
          return { status: Number(answer.slice(9, 12)), isTold: /retry-after: \d+\r\n/i.test(answer) };
        }),
      );
      const looked = statuses.filter(({ status }) => status === 404).length;
      made(looked > 0, `answered with ${[...new Set(statuses.map(({ status }) => status))].join()}`);
      held(looked <= 100, `${looked} identifiers of one client were looked for within a minute`);
      held(
        statuses.every(({ status, isTold }) => status === 404 || (status === 429 && isTold)),
        'an answer that does not say when to come back',
      );
      // Other clients must not be affected.
      const other = await answerTo(
        await open(world.service.base, 121),
        posting('/check_output/', JSON.stringify({ identifier: randomUUID(), read: 0 }), 'Connection: close'),
        20_000,
      );
      held(other.startsWith('HTTP/1.1 404'), `another client is answered: ${other.slice(0, 40)}`);
    },
  },
  {
    name: 'one expired identifier',
    tries:
      'Polls the same unknown identifier two thousand times, as a forgotten tab does, so that it is looked for each time.',
    async attack(world) {
      const body = JSON.stringify({ identifier: randomUUID(), read: 0 });
      const began = performance.now();
      for (let i = 0; i < 2000; i++) {
        const answer = await fetch(`${world.service.base}/check_output/`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        });
        await answer.text();
        held(answer.status === 404, `poll ${i} is answered with ${answer.status}`);
      }
      made(performance.now() - began < 50_000, 'not so many within a minute');
    },
  },
];
