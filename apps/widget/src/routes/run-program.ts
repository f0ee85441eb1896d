import {
  MESSAGE_VERSION,
  ErrorAnswer,
  RunProgramAnswer,
  RunProgramRequest,
  type TaskMessage,
} from '@code-widgets/protocol';
import { createProject, type ProjectOptions } from '@code-widgets/project';
import type { TaskPublisher } from '@code-widgets/broker';
import { v4 as uuid } from 'uuid';

import type { App } from '../app-type.js';
import { clientKey } from '../client-address.js';
import type { UnknownTasks } from '../unknown-tasks.js';
import type { WaitingTasks } from '../waiting-tasks.js';

export interface RunDependencies {
  tasks: TaskPublisher;
  waiting: WaitingTasks;
  unknown: UnknownTasks;
  projectOptions: ProjectOptions;
}

export function runProgramRoute(app: App, { tasks, waiting, unknown, projectOptions }: RunDependencies): void {
  app.post(
    '/run_program/',
    {
      config: { rateLimit: {} },
      schema: {
        body: RunProgramRequest,
        response: { 200: RunProgramAnswer, 400: ErrorAnswer, 429: ErrorAnswer, 503: ErrorAnswer },
      },
    },
    async (request) => {
      const { body, log } = request;
      const { files, mode, main, switches, name, lab } = body;
      const { droppedSwitches } = createProject(body, projectOptions);
      const identifier = uuid();
      if (droppedSwitches.length > 0)
        log.warn({ identifier, droppedSwitches }, 'switches that are not allowed were dropped');

      const task: TaskMessage = {
        version: MESSAGE_VERSION,
        identifier,
        submittedAt: Date.now(),
        // Field by field, so that no other member of the body reaches the worker.
        request: {
          files: files.map(({ basename, contents }) => ({ basename, contents })),
          mode,
          ...(main !== undefined && { main }),
          ...(switches !== undefined && { switches }),
          ...(name !== undefined && { name }),
          ...(lab !== undefined && { lab }),
        },
      };
      await waiting.admit(identifier, clientKey(request), () => tasks.submit(task));
      unknown.addKnown(identifier);
      log.info({ identifier, mode }, 'task accepted');
      return { identifier, message: 'Pending' as const };
    },
  );
}
