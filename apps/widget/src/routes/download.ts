import { DownloadRequest } from '@code-widgets/protocol';
import { archiveProject, contentDisposition, createProject, type ProjectOptions } from '@code-widgets/project';

import type { App } from '../app-type.js';

const DEFAULT_NAME = 'project';

export function downloadRoute(app: App, options: ProjectOptions): void {
  // Creating an archive takes processor time, so downloads have the same limit as runs, with a count of their own.
  app.post('/download/', { config: { rateLimit: {} }, schema: { body: DownloadRequest } }, ({ body, log }, reply) => {
    const { files, switches, name = DEFAULT_NAME } = body;
    const project = createProject({ files, name, ...(switches && { switches }) }, options);
    const { droppedSwitches } = project;
    if (droppedSwitches.length > 0) log.warn({ droppedSwitches }, 'switches that are not allowed were dropped');
    return reply
      .header('content-type', 'application/zip')
      .header('content-disposition', contentDisposition(name))
      .header('access-control-expose-headers', 'Content-Disposition')
      .header('access-control-allow-headers', 'Content-Disposition')
      .send(archiveProject(project));
  });
}
