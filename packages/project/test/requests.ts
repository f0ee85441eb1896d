import type { DownloadRequest, RunProgramRequest } from '@code-widgets/protocol';
import { expect } from '@jest/globals';

import { createProject, ProjectError, type SourceFile } from '../src/project.js';

/** Creates files from their names and contents. */
export function filesOf(contents: Readonly<Record<string, string>>): SourceFile[] {
  return Object.entries(contents).map(([basename, text]) => ({ basename, contents: text }));
}

/** Creates a request to run `contents`. */
export function runRequest(
  contents: Readonly<Record<string, string>>,
  more: Partial<RunProgramRequest> = {},
): RunProgramRequest {
  return { files: filesOf(contents), mode: 'run', ...more };
}

/** Returns the error that refuses the request. */
export function refusalOf(request: RunProgramRequest | DownloadRequest): ProjectError {
  try {
    createProject(request);
  } catch (error) {
    expect(error).toBeInstanceOf(ProjectError);
    return error as ProjectError;
  }
  throw new Error('the request was not refused');
}
