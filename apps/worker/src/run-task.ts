/** Runs the steps of a task. */
import {
  BUILD_COMMAND,
  explainMissingCases,
  explainMissingMain,
  judge,
  proveCommand,
  runCommand,
  stepsOf,
  type GnatproveGeneration,
  type Mode,
  type Project,
} from '@code-widgets/project';
import { EXECUTABLE_BYTES, type BytePieces } from '@code-widgets/sandbox';

import { runStep, type TaskContext } from './run-step.js';
import { gprbuild } from './toolchain/gprbuild.js';

/** Exit status if the user has to correct the project before anything can run. */
const MISTAKE = 1;

/**
 * Resolves to the exit status of the step that decided. A user's mistake is reported as output, with a status other
 * than 0. An exception means that the service failed.
 */
export async function runTask(
  project: Project & { mode: Mode },
  context: TaskContext,
  generation: () => Promise<GnatproveGeneration>,
): Promise<number> {
  if (project.mistake !== undefined) return mistake(context, project.mistake);
  let status = 0;
  let executable: BytePieces | undefined;

  for (const step of stepsOf(project.mode)) {
    switch (step.kind) {
      case 'build': {
        const built = await build(project, context);
        status = built.status;
        executable = built.copiedOut;
        if (status !== 0) return status;
        break;
      }
      case 'run':
        status = await run(project, executable, context);
        break;
      case 'judge':
        status = await judgeCases(project, executable, context);
        break;
      case 'prove':
        status = await prove(project, step.switches, context, await generation());
        break;
    }
  }
  return status;
}

async function build({ files, languages, main }: Project, context: TaskContext) {
  const { end } = await runStep(context, {
    kind: 'build',
    announcement: BUILD_COMMAND.announcement,
    ...gprbuild(BUILD_COMMAND.argv, languages),
    files,
    ...(main && { copyOut: main.executable }),
  });
  if (end.status === 0) context.reporter.text('stdout', 'Build completed successfully.');
  else context.reporter.text('stderr', `Build failed with error code: ${end.status}`);
  return end;
}

async function run(project: Project, executable: BytePieces | undefined, context: TaskContext) {
  const { main } = project;
  if (!main || !executable) return mistake(context, main ? NO_EXECUTABLE : explainMissingMain(project.sources));
  const copyIn = { basename: main.executable, pieces: executable };
  const command = runCommand(main.executable, project.arguments);
  const { end } = await runStep(context, { kind: 'run', ...command, files: project.files, copyIn });
  return end.status;
}

async function judgeCases(project: Project, executable: BytePieces | undefined, context: TaskContext) {
  const { main, labCases } = project;
  if (!main || !executable) return mistake(context, main ? NO_EXECUTABLE : explainMissingMain(project.sources));
  if (!labCases?.length) return mistake(context, explainMissingCases(labCases !== undefined));

  const copyIn = { basename: main.executable, pieces: executable };
  const outputs = new Map<string, string>();
  let status = 0;
  for (const { key, arguments: words } of labCases) {
    const command = runCommand(main.executable, words);
    const { end, stdout, endsTask } = await runStep(context, {
      kind: 'run',
      ...command,
      ref: key,
      files: project.files,
      copyIn,
    });
    outputs.set(key, stdout);
    if (endsTask) {
      status = end.status;
      break;
    }
  }
  context.reporter.lab(judge(labCases, outputs));
  return status;
}

async function prove(
  { files }: Project,
  switches: readonly string[],
  context: TaskContext,
  generation: GnatproveGeneration,
) {
  const command = proveCommand(generation, switches);
  const { end } = await runStep(context, { kind: 'prove', ...command, files });
  if (end.commandMissing)
    context.reporter.text('stderr', 'This installation has no gnatprove: programs can be run here, but not proved.');
  return end.status;
}

const NO_EXECUTABLE =
  `The build left no program of at most ${EXECUTABLE_BYTES / 2 ** 20} MiB to run. ` +
  'A large array with initial values is a part of the program: give it its values when the program runs.';

function mistake({ reporter }: TaskContext, words: string): number {
  reporter.text('stderr', words);
  return MISTAKE;
}
