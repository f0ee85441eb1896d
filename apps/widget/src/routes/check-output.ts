import { CheckOutputAnswer, CheckOutputRequest, ErrorAnswer } from '@code-widgets/protocol';
import { ReplyQueueGone, type Reply, type ReplyReader } from '@code-widgets/broker';
import { validate as isUuid } from 'uuid';

import type { App } from '../app-type.js';
import { TooManyBytes, type BytesUnderWay } from '../bytes-under-way.js';
import { clientKey } from '../client-address.js';
import { TaskFailed } from '../errors.js';
import { ANSWER_BYTES, decidePoll } from '../poll.js';
import type { PollThrottle } from '../poll-throttle.js';
import { presenceOf } from '../presence.js';
import type { ThroughputEstimator } from '../throughput.js';
import type { UnknownTasks } from '../unknown-tasks.js';
import type { WaitingTasks } from '../waiting-tasks.js';

/** A request has an identifier, a number, and perhaps members that a later client adds. */
const BODY_LIMIT_BYTES = 4 * 1024;

const TOO_MANY_UNREAD = 'Too many bytes of answers wait to be read. Read them, then poll again.';

export interface PollDependencies {
  replies: ReplyReader;
  throttle: PollThrottle;
  throughput: ThroughputEstimator;
  waiting: WaitingTasks;
  unknown: UnknownTasks;
  unread: BytesUnderWay;
}

export function checkOutputRoute(
  app: App,
  { replies, throttle, throughput, waiting, unknown, unread }: PollDependencies,
): void {
  app.post(
    '/check_output/',
    {
      bodyLimit: BODY_LIMIT_BYTES,
      schema: {
        body: CheckOutputRequest,
        response: {
          200: CheckOutputAnswer,
          400: ErrorAnswer,
          404: ErrorAnswer,
          429: ErrorAnswer,
          500: ErrorAnswer,
          503: ErrorAnswer,
        },
      },
    },
    async (request, reply): Promise<CheckOutputAnswer> => {
      const { body, log } = request;
      const { read } = body;
      const client = clientKey(request);
      const identifier = body.identifier.toLowerCase();
      // Only a UUID can name a queue. Anything else is answered like an expired identifier.
      if (!isUuid(identifier)) throw new ReplyQueueGone(identifier);
      const lease = unread.lease(client, reply.raw);
      const look = (messages: Reply[], bytes: number[]) => {
        const unreadable = messages.filter((message) => message === undefined).length;
        if (unreadable > 0)
          log.debug({ identifier, unreadable }, 'messages of another version were left to a widget of that version');
        const room = lease.room();
        const decision = decidePoll(messages, read, { bytes, limitBytes: Math.min(ANSWER_BYTES, room) });
        // Throw before messages are removed, so that a later poll still finds them.
        if (room <= 0 && decision.result.bytes > 0) throw new TooManyBytes(TOO_MANY_UNREAD);
        lease.hold(decision.result.bytes);
        return decision;
      };
      const { answer, final } = await unknown.poll(identifier, client, () =>
        throttle.run(identifier, presenceOf(reply), (longPoll) => replies.poll(identifier, look, longPoll)),
      );
      if (answer.output.length > 0 || final) waiting.remove(identifier);
      if (final) throughput.record(identifier, final.workMs);
      if (final?.state === 'FAILURE') throw new TaskFailed(identifier);
      return answer;
    },
  );
}
