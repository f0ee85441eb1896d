/** The service's processes: processor time when idle, memory after many runs, start time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

import Docker from 'dockerode';

import type { Bench, Figures } from './bench.js';
import { hello } from './programs.js';
import { runTimed } from './service.js';
import { median, processMiB, processSeconds } from './statistics.js';

const ROOT = join(import.meta.dirname, '..');
const IDLE_MS = 60_000;
/** Processes of any container engine. */
const ENGINE = /^(dockerd|containerd|containerd-shim.*)$/;

export function processesCalled(name: RegExp): number[] {
  const isCalled = (pid: string) => {
    try {
      return name.test(readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
    } catch {
      return false; // The process has ended.
    }
  };
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && isCalled(entry))
    .map(Number);
}

const pidsOf = ({ service }: Bench) =>
  [...service.widgets.map(({ process: widget }) => widget), ...service.workers].map(({ pid }) => Number(pid));

/** Processor time in seconds beyond the first `seconds`; 0 if the process has gone with its container. */
function secondsSince(seconds: number, pid: number): number {
  try {
    return processSeconds(pid) - seconds;
  } catch {
    return 0;
  }
}

export async function idle(bench: Bench): Promise<Figures> {
  await bench.rest();
  const [widget = 0, worker = 0] = pidsOf(bench);
  const parts = Object.entries({
    app: [widget],
    worker: [worker],
    broker: processesCalled(/^beam\.smp$/),
    engine: processesCalled(ENGINE),
  });
  const before = parts.map(([, pids]) => pids.map((pid) => secondsSince(0, pid)));
  await sleep(IDLE_MS);
  const percents = parts.map(([, pids], i) => {
    const seconds = pids.reduce((sum, pid, n) => sum + secondsSince(before[i]?.[n] ?? 0, pid), 0);
    return (seconds / (IDLE_MS / 1000)) * 100;
  });
  const note = parts.map(([part], i) => `${part} ${percents[i]?.toFixed(2)}`).join(', ');
  return { service: percents.reduce((sum, each) => sum + each, 0), unit: '% of a core', samples: 1, note };
}

export async function memory(bench: Bench): Promise<Figures> {
  const known = hello();
  for (let runs = 0; runs < 1000;) {
    await Promise.all(Array.from({ length: 4 }, () => (runs++, runTimed(bench.service, known, 20))));
  }
  await bench.rest();
  const [widget = NaN, worker = NaN] = pidsOf(bench).map(processMiB);
  const docker = new Docker();
  const filters = { label: [`code-widgets.namespace=${bench.service.namespace}`] };
  const [waiting] = await docker.listContainers({ filters });
  const usage =
    waiting &&
    ((await docker.getContainer(waiting.Id).stats({ stream: false })).memory_stats as { usage?: number }).usage;
  const note = `app ${widget.toFixed(0)}, worker ${worker.toFixed(0)}, a waiting container ${((usage ?? NaN) / 1024 / 1024).toFixed(1)}`;
  return { service: Math.max(widget, worker), unit: 'MiB', samples: 1, note };
}

/**
 * Time of a start with an existing broker and engine, after a stop. The first start is not counted, since it
 * may build.
 */
export async function start(): Promise<Figures> {
  const samples: number[] = [];
  for (let i = 0; i < 6; i++) samples.push(await startOnce());
  return { service: median(samples.slice(1)) / 1000, unit: 's', samples: samples.length - 1 };
}

async function startOnce(): Promise<number> {
  const begin = performance.now();
  const child = spawn('npm', ['start'], {
    cwd: ROOT,
    env: { ...process.env, PORT: '18555', NAMESPACE: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let readyMs = NaN;
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('ready')) continue;
    readyMs = performance.now() - begin;
    child.kill('SIGTERM');
  }
  await exited;
  if (Number.isNaN(readyMs)) throw new Error('npm start did not get ready');
  return readyMs;
}
