/** What a real gnatprove 14 said, from the fixture, and the form in which the stand-in reads it. */
import { readFileSync } from 'node:fs';

import type { Mode, SourceFile } from '@code-widgets/project';

interface Chunk {
  /** From the start of gnatprove. */
  readonly ms: number;
  readonly stream: 'stdout' | 'stderr';
  readonly data: string;
}

interface RecordedProject {
  readonly name: string;
  readonly note: string;
  /** main.gpr and main.adc too. */
  readonly files: readonly SourceFile[];
}

interface RecordedRun {
  /** The name of its project. */
  readonly project: string;
  readonly mode: Mode;
  readonly argv: readonly string[];
  readonly chunks: readonly Chunk[];
  readonly status: number;
}

interface Recordings {
  readonly projects: readonly RecordedProject[];
  readonly runs: readonly RecordedRun[];
  /** Not those of a mode: what the real one makes of the older generation's words. */
  readonly otherCommandLines: readonly RecordedRun[];
}

export interface Recording extends Omit<RecordedRun, 'project'> {
  readonly project: RecordedProject;
}

const FIXTURE = new URL('../../fixtures/gnatprove/prove.json', import.meta.url);
/** What the service writes itself. */
const GENERATED = ['main.gpr', 'main.adc'];

const { projects, runs, otherCommandLines } = JSON.parse(readFileSync(FIXTURE, 'utf8')) as Recordings;

export const recordings: readonly Recording[] = runs.map(withProject);
export const otherRecordings: readonly Recording[] = otherCommandLines.map(withProject);

function withProject(run: RecordedRun): Recording {
  const project = projects.find(({ name }) => name === run.project);
  if (!project) throw new Error(`no project ${run.project}`);
  return { ...run, project };
}

/** The one of a project in a mode. */
export function recordingOf(name: string, mode: Mode): Recording {
  const found = recordings.find((recording) => recording.project.name === name && recording.mode === mode);
  if (!found) throw new Error(`no recording of ${name} in mode ${mode}`);
  return found;
}

/** What a client sends. */
export function sourcesOf({ project }: Recording): SourceFile[] {
  return project.files.filter(({ basename }) => !GENERATED.includes(basename));
}

export function textOf({ chunks }: Recording, stream: Chunk['stream']): string {
  return chunks.flatMap((chunk) => (chunk.stream === stream ? [chunk.data] : [])).join('');
}

/** The file that the stand-in replays; replay.c has the format. */
export function replayFile({ argv, project, chunks, status }: Recording): string {
  const flag = (word: string) => Number(argv.includes(word));
  return [
    `flow ${flag('--mode=flow')} report-all ${flag('--report=all')}\n`,
    `status ${status}\n`,
    ...project.files.map(({ basename, contents }) => `file ${basename} ${Buffer.byteLength(contents)}\n${contents}`),
    ...chunks.map(({ ms, stream, data }) => `chunk ${ms} ${stream} ${Buffer.byteLength(data)}\n${data}`),
  ].join('');
}
