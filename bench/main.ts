/** `npm run bench [-- NAME ...]`: measures all rows or those named, prints a table, writes results.json. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

import { bringUp } from '../scripts/lib/bring-up.js';
import { Engine } from '../scripts/lib/engine.js';
import { Instance } from '../scripts/lib/instance.js';
import { Problem, runToExit, say } from '../scripts/lib/report.js';
import { untilStopped } from '../scripts/lib/until-stopped.js';
import { openBench, type Figures } from './bench.js';
import { ROWS, type Row } from './rows.js';

async function main(): Promise<number> {
  const rows = readRows(process.argv.slice(2));
  const engine = new Engine();
  const name = `bench-${randomBytes(4).toString('hex')}`;
  const instance = await Instance.open(name, name);
  const stop = async () => {
    instance.refuse();
    await instance.end();
    await engine.removeTraces(name);
    instance.close(false);
    await engine.close();
  };
  return untilStopped(
    async () => {
      const brokerEnv = { WAITING_TASKS: '100000', REPLY_EXPIRY_MS: '86400000' };
      const { settings, amqpUrls, ownBroker } = await bringUp(instance, engine, { brokerEnv });
      Object.assign(process.env, settings, {
        AMQP_URL: amqpUrls.operator,
        NAMESPACES_FILE: join(instance.folder, 'namespaces'),
      });
      const results: Result[] = [];
      const bench = await openBench(async () => {
        const channels = await ownBroker?.control('--no-table-headers', 'list_channels', 'pid');
        return channels === undefined ? NaN : channels.trim().split('\n').length;
      });
      try {
        for (const row of rows) {
          const result = resultOf(row, await row.measure(bench));
          say(row.name, lineOf(result));
          results.push(result);
          keep(result); // Each row is saved at once, since a row takes minutes.
        }
      } finally {
        await bench.close();
      }
      for (const line of tableOf(results)) console.log(line);
      return 0;
    },
    {
      stop,
      stopAtOnce: async () => {
        instance.kill();
        await stop();
      },
    },
    1,
  );
}

interface Result extends Figures, Pick<Row, 'name' | 'what' | 'goal'> {
  /** The value that the goal applies to. */
  readonly figure: number;
  readonly isMet: boolean;
}

function resultOf({ name, what, goal }: Row, figures: Figures): Result {
  const figure = figures.shell === undefined ? figures.service : figures.service / figures.shell;
  return {
    name,
    what,
    goal,
    ...figures,
    figure,
    isMet: figure <= (goal.atMost ?? Infinity) && figure >= (goal.atLeast ?? 0),
  };
}

const rounded = (value: number) => Number(value.toPrecision(3)).toString();
const goalOf = ({ goal }: Result) =>
  Object.entries(goal)
    .map(([bound, value]) => `${bound === 'atMost' ? 'at most' : 'at least'} ${value}`)
    .join(', ') || 'none';
const besides = ({ service, shell, unit }: Result) =>
  shell === undefined ? '' : `${rounded(service)} and ${rounded(shell)} ${unit}`;

function lineOf(result: Result): string {
  const { figure, isMet, note } = result;
  return [`${rounded(figure)} (${goalOf(result)}${isMet ? '' : ', MISSED'})`, besides(result), note]
    .filter(Boolean)
    .join('; ');
}

const RESULTS = join(import.meta.dirname, 'results.json');

/** Replaces the earlier result of the row. Other rows keep their date and machine. */
function keep(result: Result): void {
  const kept = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as { results: Result[] }).results : [];
  const entry = { ...result, measured: new Date().toISOString().slice(0, 10), machine: machine() };
  const results = ROWS.map(({ name }) =>
    name === result.name ? entry : kept.find((each) => each.name === name),
  ).filter(Boolean);
  writeFileSync(RESULTS, `${JSON.stringify({ results }, undefined, 2)}\n`);
}

/** A Markdown table for RESULTS.md. */
function tableOf(results: readonly Result[]): string[] {
  const cells = (result: Result) => [
    result.name,
    result.what,
    goalOf(result),
    rounded(result.figure),
    result.isMet ? 'met' : 'missed',
    besides(result),
    result.note ?? '',
  ];
  const line = (words: readonly string[]) => `| ${words.join(' | ')} |`;
  const head = ['row', 'what', 'goal', 'figure', '', 'service and shell', ''];
  return [line(head), line(head.map(() => '---')), ...results.map((result) => line(cells(result)))];
}

function machine() {
  const [cpu] = cpus();
  return {
    processors: cpus().length,
    model: cpu?.model,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
  };
}

function readRows(names: readonly string[]): readonly Row[] {
  const unknown = names.find((name) => ROWS.every((row) => row.name !== name));
  if (unknown !== undefined)
    throw new Problem(`${unknown} is no row; there are: ${ROWS.map(({ name }) => name).join(', ')}`);
  return names.length === 0 ? ROWS.filter(({ byHand }) => !byHand) : ROWS.filter(({ name }) => names.includes(name));
}

runToExit(main);
