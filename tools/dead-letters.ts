import {
  BROKER_SETTINGS,
  connectBroker,
  replayTask,
  visitDeadLetters,
  type Broker,
  type BrokerSettings,
  type DeadLetter,
} from '@code-widgets/broker';
import { readSettings } from '@code-widgets/service';
import { Type } from 'typebox';

import { readRecord } from '../scripts/lib/instance.js';
import { Problem, runToExit } from '../scripts/lib/report.js';

const USAGE = `npm run dead-letters -- list
npm run dead-letters -- show|replay|drop <identifier>
npm run dead-letters -- show|replay|drop --all`;
const ALL = '--all';

/** The action for each selected letter; if it returns a promise, the letter is removed when it resolves. */
type Act = (letter: DeadLetter, broker: Broker) => Promise<unknown> | void;

const ACTS: Record<string, Act> = {
  show: (letter) => console.log(textOf(letter)),
  replay: async (letter, broker) => {
    try {
      console.log(`${oneLine(letter.identifier)}  runs again as ${await replayTask(broker, letter)}`);
    } catch (error) {
      throw new Problem(`${oneLine(letter.identifier)} stays: ${(error as Error).message || (error as Error).name}`);
    }
  },
  drop: () => Promise.resolve(),
};

/** `npm run dead-letters`: lists, shows, replays or drops tasks that could not be run. */
async function main(): Promise<number> {
  const [command = '', which, ...more] = process.argv.slice(2);
  const act = command === 'list' ? (letter: DeadLetter) => console.log(lineOf(letter)) : ACTS[command];
  if (!act || more.length > 0 || (command === 'list') !== (which === undefined)) throw new Problem(USAGE);
  const broker = await connect(settings());
  const met: string[] = [];
  try {
    await visitDeadLetters(broker, (letter) => {
      if (which !== undefined && which !== ALL && letter.identifier !== which) return undefined;
      met.push(oneLine(letter.identifier));
      return act(letter, broker);
    });
  } finally {
    await broker.close();
  }
  if (command === 'drop') met.forEach((identifier) => console.log(`${identifier}  dropped`));
  if (met.length === 0 && which !== undefined && which !== ALL)
    throw new Problem(`There is no dead letter ${oneLine(which)}.`);
  if (met.length === 0) console.error(`No dead letters in ${broker.topology.deadQueue}.`);
  return 0;
}

/** The settings of the apps; without AMQP_URL, those of this checkout's `npm start`. */
function settings(): BrokerSettings {
  return readSettings(
    Type.Object(BROKER_SETTINGS),
    process.env.AMQP_URL ? process.env : { ...runningStart(), ...process.env },
  );
}

function runningStart(): NodeJS.ProcessEnv {
  const { amqpUrl, namespace } = readRecord('start') ?? {};
  if (amqpUrl === undefined)
    throw new Problem('npm start does not run in this checkout: set AMQP_URL and NAMESPACE to those of the apps.');
  return { AMQP_URL: amqpUrl, NAMESPACE: namespace };
}

/** An app waits for its broker. This command fails at once. */
async function connect(settings: BrokerSettings): Promise<Broker> {
  let fail: (problem: Problem) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  const report = ({ reason }: { reason?: string }) =>
    fail(
      new Problem(
        `No dead letters at AMQP_URL for NAMESPACE=${settings.NAMESPACE}: ${reason ?? 'the broker is in trouble'}`,
      ),
    );
  const broker = await connectBroker(
    settings,
    { info: () => undefined, warn: report, error: report },
    { declare: false },
  );
  await Promise.race([broker.ready(), failed]);
  failed.catch(() => undefined);
  return broker;
}

function lineOf(letter: DeadLetter): string {
  const { identifier, task, body } = letter;
  const [mode, submitted] =
    typeof task === 'object' ? [task.request.mode, time(new Date(task.submittedAt))] : ['-', '-'];
  return [oneLine(identifier), mode, submitted, `${body.length} bytes`, whyOf(letter)].join('  ');
}

function textOf(letter: DeadLetter): string {
  const { task, body } = letter;
  if (typeof task !== 'object') return `${lineOf(letter)}\n\n${plain(body.toString('utf8'))}\n`;
  const { files, ...rest } = task.request;
  const texts = files.map(({ basename, contents }) => `--- ${oneLine(basename)}\n${plain(contents)}`);
  return [lineOf(letter), plain(JSON.stringify(rest)), ...texts].join('\n\n') + '\n';
}

function whyOf({ task, reason, since }: DeadLetter): string {
  const at = since ? `, ${time(since)}` : '';
  if (reason === 'delivery_limit') return `came back too often${at}`;
  if (reason !== 'rejected') return reason === undefined ? 'put here by hand' : `${plain(reason)}${at}`;
  if (task === 'newer') return `of a later version than its worker${at}`;
  return task === undefined ? `no task that a worker could read${at}` : `lost with each worker that took it${at}`;
}

/** An invalid date is shown as a number. */
const time = (date: Date): string => (Number.isNaN(date.getTime()) ? String(date.getTime()) : date.toISOString());

/** Removes control characters, so that foreign text cannot control the terminal. */
const plain = (text: string): string =>
  text.replace(/(?![\n\t])[\p{Cc}\p{Cf}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);

const oneLine = (text: string): string => plain(text).replace(/[\n\t]/g, ' ');

runToExit(main);
