/** The last test: `npm test` has ended everything except its use of the engine, and nothing of this run may be left. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

import { expect, test } from '@jest/globals';
import { connect } from 'amqplib';
import Docker from 'dockerode';

import { brokerAnswers } from '../../scripts/lib/broker.js';
import { temporaryPrefix } from '../../scripts/lib/instance.js';
import { findTraces } from '../../scripts/lib/traces.js';

const {
  RUN_ID: runId,
  NAMESPACE: namespace,
  NAMESPACES_FILE: namespacesFile,
  AMQP_URL: amqpUrl,
  BROKER_DEFINITIONS: definitionsPath,
  BROKER_DEPRECATED: deprecatedPath,
} = process.env;
if (!runId || !namespace || !namespacesFile || !amqpUrl)
  throw new Error('RUN_ID and its like are not set: run "npm test"');

// Only Linux shows the environment of a process.
if (process.platform === 'linux') {
  test('no process of this run is left', () => {
    // Ancestors and children of this jest process are excluded.
    const family = ancestry(process.pid);
    const left = processesWith(`RUN_ID=${runId}`).filter(
      (pid) => !family.includes(pid) && !ancestry(pid).includes(process.pid),
    );
    expect(left.map((pid) => `${pid} ${readProcess(pid, 'cmdline').replaceAll('\0', ' ')}`)).toEqual([]);
  });
}

test('no container, network, volume or image of this run is left', async () => {
  // An unreachable engine is an error, since nothing was checked.
  const traces = await findTraces(new Docker(), runId);
  expect(traces.map(({ kind, name }) => `${kind} ${name}`)).toEqual([]);
});

test('no folder of this run is left', () => {
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`${temporaryPrefix(namespace)}-`))).toEqual([]);
});

test('no queue or exchange of this run is left except expiring ones', async () => {
  const definitions = await readDefinitions(amqpUrl, definitionsPath);
  // AMQP cannot list names. Without the management plugin, only known names can be checked.
  if (!definitions) return expect(await knownNamesLeft(amqpUrl, namespacesFile)).toEqual([]);
  expect(namesLeft(definitions)).toEqual([]);
});

if (deprecatedPath) {
  test('no deprecated feature of the broker was used', () => {
    expect(readFileSync(deprecatedPath, 'utf8')).toBe('');
  });
}

test("the run's own broker is gone", async () => {
  if (definitionsPath) expect(await brokerAnswers(amqpUrl)).toBe(false);
});

/** The ids of a process and all its ancestors. */
function ancestry(pid: number): number[] {
  const parent = Number(/^\d+ \(.*\) \S (\d+)/s.exec(readProcess(pid, 'stat'))?.[1] ?? 0);
  return pid > 0 ? [pid, ...ancestry(parent)] : [];
}

/** All processes with `NAME=value` in their initial environment. */
function processesWith(setting: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && readProcess(pid, 'environ').split('\0').includes(setting));
}

/** Empty for a process that has ended or belongs to another user. */
function readProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

interface Definitions {
  readonly queues: readonly Declared[];
  readonly exchanges: readonly Declared[];
}

interface Declared {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

function namesLeft({ queues, exchanges }: Definitions): string[] {
  // The broker's definitions declare these for a namespace that no test uses.
  const isOfBroker = ({ name }: Declared) =>
    new RegExp(`^${namespace}\\.(tasks|dead|submit|replies|attempts)$`).test(name);
  const left = [...queues, ...exchanges].filter(
    (declared) =>
      declared.name.includes(String(runId)) && declared.arguments['x-expires'] === undefined && !isOfBroker(declared),
  );
  return left.map(({ name }) => name);
}

/** The definitions that the run's own broker had at its end, or a broker's current ones through its management API. */
async function readDefinitions(url: string, path: string | undefined): Promise<Definitions | undefined> {
  if (path) return JSON.parse(readFileSync(path, 'utf8')) as Definitions;
  const { hostname, username, password } = new URL(url);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const answer = await fetch(`http://${hostname}:15672/api/definitions`, {
    headers: { authorization },
    signal: AbortSignal.timeout(3_000),
  }).catch(() => undefined);
  return answer?.ok ? ((await answer.json()) as Definitions) : undefined;
}

/**
 * The recorded names that still exist.
 *
 * @param path the file with the recorded namespaces; it is missing if no test used one
 */
async function knownNamesLeft(url: string, path: string): Promise<string[]> {
  const prefixes = existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
  const connection = await connect(url);
  const left: string[] = [];
  for (const name of prefixes.flatMap((prefix) => [`${prefix}.tasks`, `${prefix}.dead`])) {
    // A missing queue closes the channel, so each check has its own.
    const channel = await connection.createChannel();
    channel.on('error', () => {});
    await channel.checkQueue(name).then(
      () => left.push(name),
      () => undefined,
    );
  }
  await connection.close();
  return left;
}
