/** The rows of the table: what each measures, against what, and its goal. */
import type { Bench, Figures } from './bench.js';
import { fairness, sizing } from './crowds.js';
import { burst, cpu, latency, mixed, output, throughput } from './loads.js';
import { pollers } from './pollers.js';
import { idle, memory, start } from './processes.js';
import * as programs from './programs.js';
import { LAB_CASES } from './programs.js';
import { soak } from './soak.js';

export interface Row {
  readonly name: string;
  readonly what: string;
  /** For the ratio, or for the figure itself without a ratio; empty if there is no goal. */
  readonly goal: { readonly atMost?: number; readonly atLeast?: number };
  /** Measured only if it is named. */
  readonly byHand?: boolean;
  readonly measure: (bench: Bench) => Promise<Figures>;
}

const FAST_MS = 20;
const FRONTEND_MS = 250;
const labRuns = Array.from({ length: LAB_CASES }, (_, i) => `./main ${i}`);

export const ROWS: readonly Row[] = [
  {
    name: 'first',
    what: 'hello world in Ada, never seen, to completed',
    goal: { atMost: 0.55 },
    measure: latency({ program: programs.hello, pollMs: FAST_MS }),
  },
  {
    name: 'first-byte',
    what: 'the same, to the first output of the program',
    goal: { atMost: 0.5 },
    measure: latency({ program: programs.hello, pollMs: FAST_MS, until: 'firstByteMs' }),
  },
  {
    name: 'again',
    what: 'the same text again',
    goal: { atMost: 0.08 },
    measure: latency({ program: programs.hello, pollMs: FAST_MS, again: true }),
  },
  {
    name: 'page',
    what: 'as first, polled as the frontend does',
    goal: { atMost: 0.75 },
    measure: latency({ program: programs.hello, pollMs: FRONTEND_MS }),
  },
  { name: 'c', what: 'a C program', goal: { atMost: 0.6 }, measure: latency({ program: programs.c, pollMs: FAST_MS }) },
  {
    name: 'cpp',
    what: 'a C++ program',
    goal: { atMost: 0.6 },
    measure: latency({ program: programs.cpp, pollMs: FAST_MS }),
  },
  {
    name: 'packages',
    what: 'Ada with 12 units',
    goal: { atMost: 0.6 },
    measure: latency({ program: programs.packages, pollMs: FAST_MS }),
  },
  {
    name: 'compile-error',
    what: 'a program that does not compile',
    goal: { atMost: 0.5 },
    measure: latency({ program: programs.compileError, pollMs: FAST_MS }),
  },
  {
    name: 'lab',
    what: `${LAB_CASES} lab cases`,
    goal: { atMost: 0.9 },
    measure: latency({ program: programs.lab, pollMs: FAST_MS, runs: labRuns }),
  },
  { name: 'throughput', what: 'runs a second, 8 clients, never seen', goal: { atLeast: 0.9 }, measure: throughput },
  { name: 'mixed', what: 'the same, 7 of 10 seen before', goal: { atLeast: 1.6 }, measure: mixed },
  { name: 'cpu', what: 'processor seconds a run, everything included', goal: { atMost: 1.2 }, measure: cpu },
  { name: 'burst', what: "40 at once, to the last one's end", goal: { atMost: 1 }, measure: burst },
  {
    name: 'pollers',
    what: 'p99 of a poll in ms, 500 polled tasks, 2 building',
    goal: { atMost: 60 },
    measure: pollers,
  },
  { name: 'output', what: '1 MiB in 20,000 lines, against docker exec', goal: { atMost: 1.3 }, measure: output },
  {
    name: 'prove',
    what: 'the waiting around gnatprove',
    goal: { atMost: 0.2 },
    measure: latency({ program: programs.proof, pollMs: FAST_MS, against: programs.hello, standIn: true }),
  },
  { name: 'idle', what: 'idle service, % of one core', goal: { atMost: 2 }, measure: idle },
  { name: 'start', what: 'npm start with everything there, s', goal: { atMost: 4 }, measure: start },
  {
    name: 'memory',
    what: 'MiB of the larger of app and worker after 1,000 runs',
    goal: { atMost: 120 },
    measure: memory,
  },
  { name: 'sizing', what: 'programs a minute, the best of four sizes', goal: {}, byHand: true, measure: sizing },
  {
    name: 'fairness',
    what: "a program beside another client's flood, against alone",
    goal: {},
    byHand: true,
    measure: fairness,
  },
  {
    name: 'soak',
    what: 'memory after 3,000 runs, against that after 300',
    goal: { atMost: 1.1 },
    byHand: true,
    measure: soak,
  },
];
