/** Prove tasks through the worker's own code and the real engine; only the broker is left out. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

import type { TaskDelivery } from '@code-widgets/broker';
import type { Mode, SourceFile } from '@code-widgets/project';
import { MESSAGE_VERSION, type FinalMessage, type OutputItem, type ReplyMessage } from '@code-widgets/protocol';
import { createSandbox, type ProveRequest, type Sandbox, type SandboxOptions, type StepOptions } from '@code-widgets/sandbox';
import { createLog } from '@code-widgets/service';

import { readConfig, taskLimits } from '../../apps/worker/src/config.js';
import { rememberGeneration } from '../../apps/worker/src/gnatprove.js';
import { createTaskHandler } from '../../apps/worker/src/handle-task.js';
import type { TaskLimits } from '../../apps/worker/src/task-limits.js';
import { NAMESPACE_LABEL } from '../../packages/sandbox/src/container-options.js';
import { createEngine } from '../../packages/sandbox/src/engine.js';
import { environment } from '../helpers/environment.js';

export const namespace = `${environment('NAMESPACE')}-prove`;

/** The worker's own defaults, for the run's engine. */
const config = readConfig({
  AMQP_URL: environment('AMQP_URL'),
  NAMESPACE: namespace,
  DOCKER_HOST: process.env.DOCKER_HOST,
  DOCKER_CERT_PATH: process.env.DOCKER_CERT_PATH,
});
const engine = {
  ...(config.DOCKER_HOST !== undefined && { dockerHost: config.DOCKER_HOST }),
  ...(config.DOCKER_CERT_PATH !== undefined && { dockerCertPath: config.DOCKER_CERT_PATH }),
};
const log = createLog('test', 'warn');

const CALL_MS = 20_000;
const CALL_BYTES = 1 << 20;
/** Where the project lies in every container. */
const WORKSPACE = '/workspace/sessions';

export const docker = createEngine(engine);

export interface Proof {
  readonly items: readonly OutputItem[];
  readonly end: FinalMessage;
  /** All text of a type, in order. */
  readonly text: (type: 'console' | 'stdout' | 'stderr') => string;
  /** How long before the end each message of output came, in ms. */
  readonly beforeEndMs: readonly number[];
}

export interface Prover {
  /** Each command that was given to the sandbox, in order. */
  readonly commands: readonly (readonly string[])[];
  /** One command in the place of gnatprove, past the worker. */
  call(command: readonly string[], files: readonly SourceFile[]): Promise<{ stdout: string; stderr: string; status: number }>;
  prove(mode: Mode, files: readonly SourceFile[], limits?: Partial<TaskLimits>): Promise<Proof>;
  /** Waits for the removal of its containers. */
  close(): Promise<void>;
}

/** What a worker is that uses this image. */
export function createProver(image: string, more: Partial<SandboxOptions> = {}): Prover {
  const commands: (readonly string[])[] = [];
  const real = createSandbox({
    ...engine,
    buildImage: image,
    runImage: environment('RUN_IMAGE'),
    seccompProfile: readFileSync(environment('SECCOMP_PROFILE'), 'utf8'),
    namespace,
    log,
    ...more,
  });
  const sandbox: Sandbox = {
    ...real,
    prove(request: ProveRequest, options: StepOptions) {
      commands.push(request.command);
      return real.prove(request, options);
    },
  };
  const generation = rememberGeneration(sandbox);

  return {
    commands,
    async call(command, files) {
      const said = { stdout: '', stderr: '' };
      const { status } = await real.prove(
        { command: [...command], files: [...files] },
        { timeLimitMs: CALL_MS, outputLimitBytes: CALL_BYTES, onOutput: (stream, bytes) => void (said[stream] += bytes.toString('latin1')) },
      );
      return { stdout: said.stdout.replaceAll(`${WORKSPACE}/`, ''), stderr: said.stderr, status };
    },
    async prove(mode, files, changes = {}) {
      const limits = { ...taskLimits(config), ...changes };
      const { delivery, received } = deliver(mode, files);
      const outcome = await createTaskHandler({ sandbox, generation, limits, projectOptions: {}, log })(delivery);
      if (outcome !== 'done') throw new Error(`the task's outcome is "${outcome}"; the log has the reason`);
      return proofOf(received);
    },
    close: () => real.close(),
  };
}

/** The names of the containers of all provers here. */
export async function containers(): Promise<string[]> {
  const found = await docker.listContainers({ all: true, filters: { label: [`${NAMESPACE_LABEL}=${namespace}`] } });
  return found.flatMap(({ Names }) => Names);
}

interface Received {
  readonly message: ReplyMessage;
  readonly atMs: number;
}

/** As the broker hands a task over; what is published comes to `received` at once. */
function deliver(mode: Mode, files: readonly SourceFile[]): { delivery: TaskDelivery; received: Received[] } {
  const received: Received[] = [];
  const request = { mode, files: [...files], name: 'Proof' };
  const task = { version: MESSAGE_VERSION, identifier: randomUUID(), submittedAt: Date.now(), request } as const;
  const replies = {
    publish(message: ReplyMessage) {
      received.push({ message, atMs: performance.now() });
      return Promise.resolve();
    },
  };
  return { delivery: { task, attempt: 1, lost: 0, replies, signal: new AbortController().signal }, received };
}

function proofOf(received: readonly Received[]): Proof {
  const last = received.at(-1);
  if (last?.message.kind !== 'final') throw new Error('the last message is not the final one');
  const outputs = received.flatMap(({ message, atMs }) => (message.kind === 'output' ? [{ message, atMs }] : []));
  const items = outputs.flatMap(({ message }) => message.items);
  return {
    items,
    end: last.message,
    text: (type) => items.map(({ msg }) => (msg.type === type ? msg.data : '')).join(''),
    beforeEndMs: outputs.map(({ atMs }) => last.atMs - atMs),
  };
}
