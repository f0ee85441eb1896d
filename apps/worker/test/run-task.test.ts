import { describe, expect, it } from '@jest/globals';
import { createProject, type Mode } from '@code-widgets/project';
import { limits as sandboxLimits, type BuildEnd, type BuildRequest, type Sandbox } from '@code-widgets/sandbox';

import { readConfig, taskLimits } from '../src/config.js';
import { Reporter } from '../src/reporter.js';
import { runTask } from '../src/run-task.js';
import type { TaskContext } from '../src/run-step.js';
import { TaskBudget } from '../src/task-limits.js';

/** What a task reports, with a sandbox whose builds succeed and that can do nothing else. */
async function outcomeOf(mode: Mode, contents: Readonly<Record<string, string>>, built: Partial<BuildEnd> = { executable: [Buffer.from('program')] }) {
  const builds: BuildRequest[] = [];
  const items: string[] = [];
  const build: Sandbox['build'] = (request) => {
    builds.push(request);
    return Promise.resolve({ status: 0, ms: 1, ...built });
  };
  const limits = taskLimits(readConfig({}));
  const reporter = new Reporter({ publish: () => Promise.resolve() }, 1, () => undefined);
  reporter.text = (type, data) => void items.push(`${type}: ${data}`);
  reporter.lab = () => void items.push('lab');
  const context: TaskContext = {
    sandbox: { build } as Sandbox,
    reporter,
    limits,
    budget: new TaskBudget(limits),
    spent: { buildMs: 0, runMs: 0 },
    signal: new AbortController().signal,
  };
  const files = Object.entries(contents).map(([basename, text]) => ({ basename, contents: text }));
  const project = { ...createProject({ files, mode }), mode };
  const status = await runTask(project, context, () => Promise.resolve('from-14'));
  return { status, items, builds };
}

const BUILT = ['console: gprbuild -q -P main.gpr', 'stdout: Build completed successfully.'];

describe('a mistake of the reader', () => {
  it.each<Mode>(['compile', 'run', 'submit', 'prove', 'prove_flow'])('in the name of a source is told before any step: %s', async (mode) => {
    const { status, items, builds } = await outcomeOf(mode, { 'Greet.adb': 'procedure Greet is null;' });
    expect(status).toBe(1);
    expect(items).toEqual([expect.stringMatching(/^stderr: .*"Greet\.adb".*"greet\.adb"/)]);
    expect(builds).toEqual([]);
  });

  it.each<Mode>(['run', 'submit'])('that leaves no main is told after the build, in the words of the language: %s', async (mode) => {
    const { status, items } = await outcomeOf(mode, { 'lib.c': 'int f(void) { return 1; }' });
    expect(status).toBe(1);
    expect(items).toEqual([...BUILT, expect.stringMatching(/^stderr: There is no main program to run\. Add a function main/)]);
  });

  it.each<Mode>(['run', 'submit'])('that makes the program too large is told with the limit: %s', async (mode) => {
    const { status, items } = await outcomeOf(mode, { 'lab.adb': 'procedure Lab is' }, {});
    expect(status).toBe(1);
    expect(items).toEqual([...BUILT, expect.stringContaining(`at most ${sandboxLimits.EXECUTABLE_BYTES >> 20} MiB`)]);
  });

  it.each([
    ['no lab_io.txt', {}],
    ['lab_io.txt has no case', { 'lab_io.txt': 'in 0 1\nout 0 a\n' }],
  ])('that leaves no lab case is told after the build, without a verdict: %s', async (words, lab) => {
    const { status, items } = await outcomeOf('submit', { 'lab.adb': 'procedure Lab is', ...lab });
    expect(status).toBe(1);
    expect(items).toEqual([...BUILT, expect.stringContaining(words)]);
  });
});
