import { CheckOutputAnswer, CheckOutputRequest, ErrorAnswer, type ReplyMessage } from '@code-widgets/protocol';
import { ReplyQueueGone, type ReplyReader } from '@code-widgets/broker';
import { validate as isUuid } from 'uuid';

import type { App } from '../app-type.js';
import { TaskFailed } from '../errors.js';
import type { Pace } from '../pace.js';
import { decidePoll } from '../poll.js';
import type { PollPatience } from '../poll-patience.js';
import { presenceOf } from '../presence.js';
import type { WaitingTasks } from '../waiting-tasks.js';

/** Answers what a task has put out since the client's last poll, and whether it has ended. */
export function checkOutputRoute(app: App, replies: ReplyReader, patience: PollPatience, pace: Pace, waiting: WaitingTasks): void {
  app.post(
    '/check_output/',
    {
      schema: {
        body: CheckOutputRequest,
        response: { 200: CheckOutputAnswer, 400: ErrorAnswer, 404: ErrorAnswer, 500: ErrorAnswer, 503: ErrorAnswer },
      },
    },
    async ({ body, log }, reply): Promise<CheckOutputAnswer> => {
      const { read } = body;
      const identifier = body.identifier.toLowerCase();
      // Only what was given out can name a queue; anything else is as unknown as an expired one.
      if (!isUuid(identifier)) throw new ReplyQueueGone(identifier);
      const look = (messages: (ReplyMessage | undefined)[]) => {
        const unreadable = messages.filter((message) => message === undefined).length;
        if (unreadable > 0) log.debug({ identifier, unreadable }, 'messages of another version were left to a widget of that version');
        return decidePoll(messages, read);
      };
      const { answer, final } = await patience.take(identifier, presenceOf(reply), (given) => replies.poll(identifier, look, given));
      if (answer.output.length > 0 || final) waiting.remove(identifier);
      if (final) pace.record(identifier, final.workMs);
      if (final?.state === 'FAILURE') throw new TaskFailed(identifier);
      return answer;
    },
  );
}
