/** Runs prove tasks through the worker's code and the real engine, without a broker. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

import type { TaskDelivery } from '@code-widgets/broker';
import type { Mode, SourceFile } from '@code-widgets/project';
import { MESSAGE_VERSION, type FinalMessage, type OutputItem, type ReplyMessage } from '@code-widgets/protocol';
import { createSandbox, WORKSPACE, type Sandbox, type SandboxOptions } from '@code-widgets/sandbox';
import { createLog } from '@code-widgets/service';
import Docker from 'dockerode';

import { readConfig } from '../../apps/worker/src/config.js';
import { taskLimits } from '../../apps/worker/src/task-limits.js';
import { createTaskHandler } from '../../apps/worker/src/handle-task.js';
import { stepTable } from '../../apps/worker/src/step-table.js';
import { rememberGeneration } from '../../apps/worker/src/toolchain/gnatprove.js';
import { NAMESPACE_LABEL } from '../../packages/sandbox/src/container-options.js';
import { engineOptions } from '../../packages/sandbox/src/docker-runtime.js';
import { environment } from '../helpers/environment.js';

export const namespace = `${environment('NAMESPACE')}-prove`;

/** The worker's defaults for the run's engine and this image. */
const configFor = (image: string) =>
  readConfig({
    AMQP_URL: environment('AMQP_URL'),
    NAMESPACE: namespace,
    SANDBOX_IMAGE: image,
    RUN_IMAGE: environment('RUN_IMAGE'),
    DOCKER_HOST: process.env.DOCKER_HOST,
    DOCKER_CERT_PATH: process.env.DOCKER_CERT_PATH,
  });
const config = configFor(environment('SANDBOX_IMAGE'));
const engine = {
  ...(config.DOCKER_HOST !== undefined && { dockerHost: config.DOCKER_HOST }),
  ...(config.DOCKER_CERT_PATH !== undefined && { dockerCertPath: config.DOCKER_CERT_PATH }),
};
const log = createLog('test', 'warn');

const CALL_MS = 20_000;
const CALL_BYTES = 1 << 20;

export const docker = new Docker(engineOptions(engine));

export interface Proof {
  readonly items: readonly OutputItem[];
  readonly end: FinalMessage;
  /** All text of one type, in order. */
  readonly text: (type: 'console' | 'stdout' | 'stderr') => string;
  /** How long before the end each output message arrived, in ms. */
  readonly beforeEndMs: readonly number[];
}

export interface Prover {
  /** Each command that the sandbox was given, in order. */
  readonly commands: readonly (readonly string[])[];
  /** Runs one command instead of gnatprove, without the worker's code. */
  call(
    command: readonly string[],
    files: readonly SourceFile[],
  ): Promise<{ stdout: string; stderr: string; status: number }>;
  prove(mode: Mode, files: readonly SourceFile[], changes?: { proveMs?: number }): Promise<Proof>;
  /** Waits for the removal of its containers. */
  close(): Promise<void>;
}

/** Creates the parts of a worker that proves with this image. */
export function createProver(image: string, more: Partial<SandboxOptions> = {}): Prover {
  const commands: (readonly string[])[] = [];
  const steps = stepTable(configFor(image));
  const { profile } = steps.prove;
  const real = createSandbox({
    ...engine,
    profiles: Object.values(steps).map((step) => step.profile),
    seccompProfile: readFileSync(environment('SECCOMP_PROFILE'), 'utf8'),
    namespace,
    log,
    ...more,
  });
  const sandbox: Sandbox = {
    ...real,
    execute(job, options) {
      commands.push(job.argv);
      return real.execute(job, options);
    },
  };
  const generation = rememberGeneration(sandbox, profile);

  return {
    commands,
    async call(argv, files) {
      const said = { stdout: '', stderr: '' };
      const { status } = await real.execute(
        { profile, argv, files, limits: { timeMs: CALL_MS, outputBytes: CALL_BYTES } },
        { onOutput: (stream, bytes) => void (said[stream] += bytes.toString('latin1')) },
      );
      return { stdout: said.stdout.replaceAll(`${WORKSPACE}/`, ''), stderr: said.stderr, status };
    },
    async prove(mode, files, { proveMs = steps.prove.timeMs } = {}) {
      const { delivery, received } = deliver(mode, files);
      const changed = { ...steps, prove: { ...steps.prove, timeMs: proveMs } };
      const handle = createTaskHandler({
        sandbox,
        generation,
        steps: changed,
        limits: taskLimits(config),
        projectOptions: {},
        log,
      });
      const outcome = await handle(delivery);
      if (outcome !== 'done')
        throw new Error(`the task's outcome is ${JSON.stringify(outcome)}; the log has the reason`);
      return proofOf(received);
    },
    close: () => real.close(),
  };
}

/** The names of the containers of all provers in this process. */
export async function containers(): Promise<string[]> {
  const found = await docker.listContainers({ all: true, filters: { label: [`${NAMESPACE_LABEL}=${namespace}`] } });
  return found.flatMap(({ Names }) => Names);
}

interface Received {
  readonly message: ReplyMessage;
  readonly atMs: number;
}

/** A delivery as the broker makes it; published messages go to `received` at once. */
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
  return { delivery: { task, attempt: 1, isGivenUp: false, replies, signal: new AbortController().signal }, received };
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
