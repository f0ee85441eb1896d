import { CheckOutputAnswer, CheckOutputRequest, ErrorAnswer } from '@code-widgets/protocol';
import { ReplyQueueBusy, ReplyQueueGone, type ReplyReader } from '@code-widgets/broker';
import { validate as isUuid } from 'uuid';

import type { App } from '../app-type.js';
import { TaskFailed } from '../errors.js';
import type { Pace } from '../pace.js';
import { decidePoll } from '../poll.js';

/** Answers what a task has put out since the client's last poll, and whether it has ended. */
export function checkOutputRoute(app: App, replies: ReplyReader, pace: Pace): void {
  app.post(
    '/check_output/',
    {
      schema: {
        body: CheckOutputRequest,
        response: { 200: CheckOutputAnswer, 400: ErrorAnswer, 404: ErrorAnswer, 500: ErrorAnswer, 503: ErrorAnswer },
      },
    },
    async ({ body: { identifier, read }, log }): Promise<CheckOutputAnswer> => {
      // Only what was given out can name a queue; anything else is as unknown as an expired one.
      if (!isUuid(identifier)) throw new ReplyQueueGone(identifier);
      const poll = replies.poll(identifier, (messages) => {
        const unreadable = messages.filter((message) => message === undefined).length;
        if (unreadable > 0) log.warn({ identifier, unreadable }, 'messages of another version were left out');
        return decidePoll(messages, read);
      });
      const { answer, final } = await poll.catch(nothingNew);
      if (final) pace.record(final.workMs);
      if (final?.state === 'FAILURE') throw new TaskFailed(identifier);
      return answer;
    },
  );
}

/** While another poll of the task is under way, there is nothing to say that would not be said twice. */
function nothingNew(error: unknown): ReturnType<typeof decidePoll>['result'] {
  if (!(error instanceof ReplyQueueBusy)) throw error;
  return { answer: { output: [], completed: false, status: 0, message: 'PENDING' } };
}
