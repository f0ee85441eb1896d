import { DownloadRequest } from '@code-widgets/protocol';
import { archiveProject, contentDisposition, createProject, type RequestLimits } from '@code-widgets/project';

import type { App } from '../app-type.js';

/** The project as a run would have it, as a zip. */
export function downloadRoute(app: App, limits: RequestLimits): void {
  // To pack a project is work as well: it is counted as runs are, but apart from them.
  app.post('/download/', { config: { rateLimit: {} }, schema: { body: DownloadRequest } }, ({ body, log }, reply) => {
    const { files, switches, name } = body;
    const project = createProject({ files, name, ...(switches && { switches }) }, limits);
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
