/** The running service and all observers of an attack's effects. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Readable } from 'node:stream';

import Docker from 'dockerode';

import { isGvisor } from '../../../packages/sandbox/src/gvisor.js';
import { collect, submit, type RunRequest, type RunResult } from '../../helpers/client.js';
import { deploy, type Deployment } from '../../helpers/deployment.js';
import { environment } from '../../helpers/environment.js';
import { newNamespace } from '../../helpers/namespace.js';
import { startCanary, type Canary } from './canary.js';
import { ProcessWatch } from './process-watch.js';
import { setTraps, type Traps } from './traps.js';

/** Shorter than the default, to save time. */
export const RUN_LIMIT_MS = 3000;
const BUILD_LIMIT_MS = 20_000;
const CHECKOUT = fileURLToPath(new URL('../../../', import.meta.url));
/** Folders where a file from a container could appear. */
const HOST_FOLDERS = [
  '/',
  '/etc',
  '/tmp',
  '/var/tmp',
  '/run',
  '/root',
  '/dev',
  '/dev/shm',
  '/workspace',
  '/workspace/sessions',
  CHECKOUT,
];

export interface World {
  readonly service: Deployment;
  readonly watch: ProcessWatch;
  readonly traps: Traps;
  readonly canary: Canary;
  /** A world-readable file of the host that no program may read. */
  readonly secretPath: string;
  /** Texts that no attack may see. */
  secrets(): string[];
  /** Every container that the engine has started for this service. */
  readonly containers: ReadonlySet<string>;
  /** Whether main.adc restricts Ada programs. */
  readonly restricted: boolean;
  /** Whether programs run in gVisor, which has its own kernel and hides its processes from the host's /proc. */
  readonly gvisor: boolean;
  /** Runs a program with the attack's token, which is its argument unless it has others. */
  run(token: string, request: RunRequest): Promise<RunResult>;
  /** Polls a task of the attack to its end. */
  collect(token: string, identifier: string): Promise<RunResult>;
  /** Records other answers to an attack for the search for secrets. */
  recordAnswer(token: string, answer: string): void;
  /** The visible effects of an attack. */
  effectsOf(token: string): string[];
  close(): Promise<void>;
}

/** @param settings override those of every attack */
export async function openWorld(settings: Readonly<Record<string, string>> = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), `code-widgets-${process.env.RUN_ID ?? 'attacks'}-`));
  const secret = randomBytes(16).toString('hex');
  const secretPath = join(folder, 'secret');
  writeFileSync(secretPath, `${secret}\n`, { mode: 0o644 });
  const traps = await setTraps(folder, secret.slice(0, 8));
  const watch = new ProcessWatch();
  const limits = { RUN_LIMIT_MS: String(RUN_LIMIT_MS), BUILD_LIMIT_MS: String(BUILD_LIMIT_MS) };
  const env = { PREPARED_CONTAINERS: '1', BUILD_CACHE_FOLDER: join(folder, 'builds'), ...limits, ...settings };
  // Recorded from the start, since warm containers start with their worker.
  const namespace = newNamespace('d');
  const containers = new Set<string>();
  const events = await recordContainers(namespace, containers);
  const deployed = await deploy({ widgets: 1, workers: 2, env, namespace }).catch((error: unknown) => {
    watch.close();
    traps.close();
    events.destroy();
    throw error;
  });
  // The widget itself, as seen by the last proxy in front of it.
  const service = { ...deployed, base: deployed.widgets[0]?.base ?? deployed.base };
  const canary = startCanary(service.base);
  const answers = new Map<string, string>();
  const recordAnswer = (token: string, answer: string) => void answers.set(token, (answers.get(token) ?? '') + answer);
  const collectAndRecord = async (token: string, identifier: string) => {
    const result = await collect(service.base, identifier);
    for (const { msg } of result.output)
      recordAnswer(token, typeof msg.data === 'string' ? msg.data : JSON.stringify(msg.data));
    return result;
  };
  const hostSecrets = [secret, ...secretsOfHost()];

  return {
    service,
    watch,
    traps,
    canary,
    secretPath,
    containers,
    restricted: settings.ADA_RESTRICTIONS !== 'none',
    gvisor: isGvisor(process.env.SANDBOX_RUNTIME),
    secrets: () => [...hostSecrets, ...canary.secrets],
    recordAnswer,
    async run(token, request) {
      const words = request.files.some(({ basename }) => basename === 'cli.txt')
        ? []
        : [{ basename: 'cli.txt', contents: token }];
      return collectAndRecord(token, await submit(service.base, { ...request, files: [...request.files, ...words] }));
    },
    collect: collectAndRecord,
    effectsOf(token) {
      const answer = answers.get(token) ?? '';
      const words = answer.split('\n').filter((line) => line.includes(`through ${token}`));
      const told = [...hostSecrets, ...canary.secrets].some((each) => answer.includes(each))
        ? ['a secret in the output']
        : [];
      return [...words, ...told, ...watch.faultsOf(token), ...hostFilesWith(token)];
    },
    async close() {
      await canary.stop();
      watch.close();
      traps.close();
      events.destroy();
      await service.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Files on the host whose name contains `token`. */
export function hostFilesWith(token: string): string[] {
  return HOST_FOLDERS.flatMap((folder) => {
    try {
      return readdirSync(folder)
        .filter((name) => name.includes(token))
        .map((name) => `on the host: ${join(folder, name)}`);
    } catch {
      return []; // The folder does not exist.
    }
  });
}

/** Passwords of the service and the machine that are long enough not to match words. */
function secretsOfHost(): string[] {
  const { password } = new URL(environment('AMQP_URL'));
  // Readable only by root. Other users run no worker that could leak it.
  const shadow =
    process.getuid?.() !== 0
      ? []
      : readFileSync('/etc/shadow', 'utf8')
          .split('\n')
          .map((line) => line.split(':')[1] ?? '');
  return [password, ...shadow].filter((word) => word.length > 8);
}

async function recordContainers(namespace: string, containers: Set<string>): Promise<Readable> {
  const filters = { event: ['start'], label: [`code-widgets.namespace=${namespace}`] };
  const events = (await new Docker().getEvents({ filters })) as Readable;
  createInterface({ input: events })
    .on('line', (line) => containers.add((JSON.parse(line) as { id: string }).id))
    .on('error', () => undefined);
  events.on('error', () => undefined);
  return events;
}
