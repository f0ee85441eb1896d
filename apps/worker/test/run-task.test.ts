import { describe, expect, it } from '@jest/globals';
import { createProject, type Mode } from '@code-widgets/project';
import { EXECUTABLE_BYTES, type Job, type JobResult, type Sandbox } from '@code-widgets/sandbox';

import { readConfig } from '../src/config.js';
import { Reporter } from '../src/reporter.js';
import { runTask } from '../src/run-task.js';
import type { TaskContext } from '../src/run-step.js';
import { stepTable } from '../src/step-table.js';
import { TaskBudget, taskLimits } from '../src/task-limits.js';

const config = readConfig({});
const steps = stepTable(config);

/** Runs a task with a sandbox in which every job ends with status 0 and without output. */
async function outcomeOf(
  mode: Mode,
  contents: Readonly<Record<string, string>>,
  built: Partial<JobResult> = { copiedOut: [Buffer.from('program')] },
) {
  const jobs: Job[] = [];
  const items: string[] = [];
  const execute: Sandbox['execute'] = (job) => {
    jobs.push(job);
    return Promise.resolve({ status: 0, ms: 1, ...(job.profile === steps.build.profile && built) });
  };
  const limits = taskLimits(config);
  const reporter = new Reporter({ publish: () => Promise.resolve() }, 1, () => undefined);
  reporter.text = (type, data) => void items.push(`${type}: ${data}`);
  reporter.lab = () => void items.push('lab');
  const context: TaskContext = {
    sandbox: { execute } as Sandbox,
    reporter,
    steps,
    limits,
    budget: new TaskBudget(limits),
    spent: { buildMs: 0, runMs: 0 },
    signal: new AbortController().signal,
  };
  const files = Object.entries(contents).map(([basename, text]) => ({ basename, contents: text }));
  const project = { ...createProject({ files, mode }), mode };
  const status = await runTask(project, context, () => Promise.resolve('from-14'));
  return { status, items, jobs };
}

const BUILT = ['console: gprbuild -q -P main.gpr', 'stdout: Build completed successfully.'];

describe('a mistake in the program', () => {
  it.each<Mode>(['compile', 'run', 'submit', 'prove', 'prove_flow'])(
    'in a source name is reported before any step: %s',
    async (mode) => {
      const { status, items, jobs } = await outcomeOf(mode, { 'Greet.adb': 'procedure Greet is null;' });
      expect(status).toBe(1);
      expect(items).toEqual([expect.stringMatching(/^stderr: .*"Greet\.adb".*"greet\.adb"/)]);
      expect(jobs).toEqual([]);
    },
  );

  it.each<Mode>(['run', 'submit'])(
    'that leaves no main is reported after the build, in terms of the language: %s',
    async (mode) => {
      const { status, items } = await outcomeOf(mode, { 'lib.c': 'int f(void) { return 1; }' });
      expect(status).toBe(1);
      expect(items).toEqual([
        ...BUILT,
        expect.stringMatching(/^stderr: There is no main program to run\. Add a function main/),
      ]);
    },
  );

  it.each<Mode>(['run', 'submit'])('that makes the program too large is reported with the limit: %s', async (mode) => {
    const { status, items } = await outcomeOf(mode, { 'lab.adb': 'procedure Lab is' }, {});
    expect(status).toBe(1);
    expect(items).toEqual([...BUILT, expect.stringContaining(`at most ${EXECUTABLE_BYTES >> 20} MiB`)]);
  });

  it.each([
    ['no lab_io.txt', {}],
    ['lab_io.txt has no case', { 'lab_io.txt': 'in 0 1\nout 0 a\n' }],
  ])('that leaves no lab case is reported after the build, without a verdict: %s', async (words, lab) => {
    const { status, items } = await outcomeOf('submit', { 'lab.adb': 'procedure Lab is', ...lab });
    expect(status).toBe(1);
    expect(items).toEqual([...BUILT, expect.stringContaining(words)]);
  });
});

describe('the jobs of a task', () => {
  const main = 'procedure Main is begin null; end Main;';
  const jobsOf = async (mode: Mode, contents: Readonly<Record<string, string>>) =>
    (await outcomeOf(mode, contents)).jobs;

  it('are a build that returns the program, and a run that receives it', async () => {
    const [build, run, ...others] = await jobsOf('run', { 'main.adb': main, 'cli.txt': 'a b' });
    expect(build).toMatchObject({
      profile: steps.build.profile,
      copyOut: 'main',
      environment: { GPR_CONFIG: expect.stringMatching(/^\//) },
    });
    expect(build).not.toHaveProperty('copyIn');
    expect(run).toMatchObject({
      profile: steps.run.profile,
      argv: ['./main', 'a', 'b'],
      copyIn: { basename: 'main', pieces: [Buffer.from('program')] },
    });
    expect(run).not.toHaveProperty('copyOut');
    expect(others).toEqual([]);
  });

  it('include a run for each lab case', async () => {
    const jobs = await jobsOf('submit', { 'main.adb': main, 'lab_io.txt': 'in 1: x\nout 1:\nin 2: y\nout 2:\n' });
    expect(jobs.map(({ profile, argv }) => [profile.name, argv.at(-1)])).toEqual([
      ['build', 'main.gpr'],
      ['run', 'x'],
      ['run', 'y'],
    ]);
  });

  it('are one proof with all files', async () => {
    const [proof, ...others] = await jobsOf('prove', { 'main.adb': main });
    expect(proof).toMatchObject({ profile: steps.prove.profile, argv: expect.arrayContaining(['gnatprove']) });
    expect(proof?.files.map(({ basename }) => basename)).toContain('main.adb');
    expect(others).toEqual([]);
  });

  it('have the time limit of their step and the output limit of their task', async () => {
    const [build, run] = await jobsOf('run', { 'main.adb': main });
    expect(build?.limits).toEqual({ timeMs: config.BUILD_LIMIT_MS, outputBytes: config.OUTPUT_LIMIT_BYTES });
    expect(run?.limits).toEqual({ timeMs: config.RUN_LIMIT_MS, outputBytes: config.OUTPUT_LIMIT_BYTES });
  });
});
