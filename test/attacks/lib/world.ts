/** The running service, and everything that an attack's effect is looked for with. */
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

/** Shorter than in service, so that what has to run into it does so soon. */
export const RUN_LIMIT_MS = 3000;
const BUILD_LIMIT_MS = 20_000;
const CHECKOUT = fileURLToPath(new URL('../../../', import.meta.url));
/** Where a file from a container could turn up. */
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
  /** A file of the host that all may read, and that no program may. */
  readonly secretPath: string;
  /** What no attack may get to see. */
  secrets(): string[];
  /** Every container that the engine has started for this service so far. */
  readonly containers: ReadonlySet<string>;
  /** Whether main.adc restricts what Ada programs may use. */
  readonly restricted: boolean;
  /**
   * Whether programs run in gVisor's kernel: its answers are its own, and the host's /proc shows none of its
   * processes.
   */
  readonly gvisor: boolean;
  /** Runs a program under the attack's token, which is its argument unless it brings its own. */
  run(token: string, request: RunRequest): Promise<RunResult>;
  /** Polls a task that is the attack's to its end. */
  collect(token: string, identifier: string): Promise<RunResult>;
  /** Keeps what an attack was answered in other ways, to be looked through. */
  heard(token: string, answer: string): void;
  /** The effects of an attack that can be seen from outside, each in words. */
  effectsOf(token: string): string[];
  close(): Promise<void>;
}

/** @param settings of the service, over those of every attack */
export async function openWorld(settings: Readonly<Record<string, string>> = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), `code-widgets-${process.env.RUN_ID ?? 'attacks'}-`));
  const secret = randomBytes(16).toString('hex');
  const secretPath = join(folder, 'secret');
  writeFileSync(secretPath, `${secret}\n`, { mode: 0o644 });
  const traps = await setTraps(folder, secret.slice(0, 8));
  const watch = new ProcessWatch();
  const limits = { RUN_LIMIT_MS: String(RUN_LIMIT_MS), BUILD_LIMIT_MS: String(BUILD_LIMIT_MS) };
  const env = { PREPARED_CONTAINERS: '1', BUILD_CACHE_FOLDER: join(folder, 'builds'), ...limits, ...settings };
  // From before the first: those that wait for an attack are started with their worker.
  const namespace = newNamespace('d');
  const containers = new Set<string>();
  const events = await recordContainers(namespace, containers);
  const deployed = await deploy({ widgets: 1, workers: 2, env, namespace }).catch((error: unknown) => {
    watch.close();
    traps.close();
    events.destroy();
    throw error;
  });
  // The widget itself, as the last of whatever stands in front of it would have it.
  const service = { ...deployed, base: deployed.widgets[0]?.base ?? deployed.base };
  const canary = startCanary(service.base);
  const answers = new Map<string, string>();
  const heard = (token: string, answer: string) => void answers.set(token, (answers.get(token) ?? '') + answer);
  const collectHeard = async (token: string, identifier: string) => {
    const result = await collect(service.base, identifier);
    for (const { msg } of result.output)
      heard(token, typeof msg.data === 'string' ? msg.data : JSON.stringify(msg.data));
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
    heard,
    async run(token, request) {
      const words = request.files.some(({ basename }) => basename === 'cli.txt')
        ? []
        : [{ basename: 'cli.txt', contents: token }];
      return collectHeard(token, await submit(service.base, { ...request, files: [...request.files, ...words] }));
    },
    collect: collectHeard,
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

/** Files of the host whose name holds `token`. */
export function hostFilesWith(token: string): string[] {
  return HOST_FOLDERS.flatMap((folder) => {
    try {
      return readdirSync(folder)
        .filter((name) => name.includes(token))
        .map((name) => `on the host: ${join(folder, name)}`);
    } catch {
      return []; // There is no such folder, and so nothing in it.
    }
  });
}

/** Passwords of the service and of the machine, where they are long enough to be told from words. */
function secretsOfHost(): string[] {
  const { password } = new URL(environment('AMQP_URL'));
  // Root's alone. Whoever cannot read it runs no worker that could leak it.
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
