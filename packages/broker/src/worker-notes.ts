/** What a worker leaves in a task's reply queue beside its output, for whoever has the task next or polls for it. */
import { MESSAGE_VERSION } from '@code-widgets/protocol';

import { brokerCall } from './connection.js';
import { ReplyQueueGone } from './queue-availability.js';
import type { ReplyPublisher } from './reply-publisher.js';

/** For attemptHistory; false if it could not be said, to a queue that is there. */
export async function note(kind: 'begun' | 'returned', replies: ReplyPublisher, attempt: number): Promise<boolean> {
  return published(replies.publish({ version: MESSAGE_VERSION, kind, attempt }));
}

/** Whoever polls for a task that cannot be read is told that it has failed; false if that could not be said. */
export async function endUnread(replies: ReplyPublisher, attempt: number): Promise<boolean> {
  const end = { version: MESSAGE_VERSION, kind: 'final', attempt, items: 0, state: 'FAILURE', status: 1, workMs: 0 } as const;
  return published(replies.publish(end));
}

async function published(publishing: Promise<void>): Promise<boolean> {
  return brokerCall(() => publishing).then(
    () => true,
    (error: unknown) => error instanceof ReplyQueueGone,
  );
}
