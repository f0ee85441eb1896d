import { DownloadRequest } from '@code-widgets/protocol';
import { archiveProject, contentDisposition, createProject, type ProjectOptions } from '@code-widgets/project';

import type { App } from '../app-type.js';

/** What a project without a name is called. */
const NAME = 'project';

/** The project as a run would have it, as a zip. */
export function downloadRoute(app: App, options: ProjectOptions): void {
  // To pack a project is work as well: it is counted as runs are, but apart from them.
  app.post('/download/', { config: { rateLimit: {} }, schema: { body: DownloadRequest } }, ({ body, log }, reply) => {
    const { files, switches, name = NAME } = body;
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
