/** Turns errors into answers. The status says what to do: correct (400, 413), retry (429, 503), start again (404). */
import { STATUS_CODES } from 'node:http';
import type { Readable } from 'node:stream';

import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { BrokerUnavailable, ReplyQueueBusy, ReplyQueueGone, TaskQueueFull } from '@code-widgets/broker';
import { ProjectError } from '@code-widgets/project';
import type { ErrorAnswer } from '@code-widgets/protocol';

import { TooManyBytes } from './bytes-under-way.js';
import type { Load, ThroughputEstimator } from './throughput.js';
import { TooManyChunks } from './read-body.js';
import { TooManyUnknown } from './unknown-tasks.js';
import { TooManyWaiting } from './waiting-tasks.js';

const BROKER_RETRY_S = 5;

/** Maximum length of `path` in an answer. A client's own names may be long. */
const LONGEST_PATH = 200;

/** How much of a too large body is read and discarded. A client that sends more may lose its answer. */
const DISCARDED_BYTES = 64 * 1024 * 1024;
/** Same for a body in many small chunks, each of which costs processor time. */
const DISCARDED_BYTES_IN_CHUNKS = 16 * 1024;
/** Time limit for discarding: a client may announce a large body and send nothing. */
const DISCARD_MS = 2_000;

/** The task failed because of the service, not because of the program. */
export class TaskFailed extends Error {
  override name = 'TaskFailed';
  constructor(identifier: string) {
    super(`task ${identifier} failed`);
  }
}

const LIBRARY_ERRORS: Readonly<Record<string, [status: number, message: string]>> = {
  // The service has always answered 400 here, not 415.
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [400, 'The body must be JSON, sent with Content-Type: application/json.'],
  FST_ERR_CTP_INVALID_JSON_BODY: [
    400,
    'The body is not valid JSON, or has a member called __proto__ or constructor.prototype.',
  ],
  FST_ERR_BAD_URL: [400, 'The address of the request is not a valid URL.'],
};

const FAILURE_MESSAGE = 'Something went wrong here. Try again; if it stays, tell the operator.';

/** Answers an error as JSON. Retry-After comes from `throughput` and the `load` of the queue. */
export function errorHandler(throughput: ThroughputEstimator, load: () => Promise<Load>) {
  return async (error: FastifyError, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (error instanceof TaskQueueFull) {
      reply.header(
        'retry-after',
        await load().then(
          (now) => throughput.retryAfterSeconds(now),
          () => BROKER_RETRY_S,
        ),
      );
      return sendError(reply, 503, 'Too many programs are waiting. Try again later.');
    }
    if (error instanceof TooManyWaiting) {
      reply.header('retry-after', throughput.retryAfterSeconds(error.load));
      return sendError(reply, 429, error.message);
    }
    if (error instanceof TooManyUnknown) {
      reply.header('retry-after', error.retryAfterSeconds);
      return sendError(reply, 429, error.message);
    }
    if (error instanceof BrokerUnavailable) {
      request.log.error({ reason: error.message }, 'the broker is out of reach');
      reply.header('retry-after', BROKER_RETRY_S);
      return sendError(reply, 503, 'The service cannot take requests at the moment. Try again later.');
    }
    if (error instanceof ReplyQueueBusy) {
      reply.header('retry-after', 1);
      return sendError(reply, 503, 'Another request for this task is being answered. Try again in a moment.');
    }
    if (error instanceof ReplyQueueGone) {
      return sendError(reply, 404, 'No task has this identifier, or its answer has expired. Run the program again.');
    }
    // The worker has logged the reason.
    if (error instanceof TaskFailed) return sendError(reply, 500, FAILURE_MESSAGE);
    if (error instanceof ProjectError) return sendError(reply, 400, error.message, error.path);
    if (error.validation) return sendError(reply, 400, ...describeValidation(error));
    if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
      await discard(request.raw, reply);
      return sendError(reply, 413, `The request has more than ${request.routeOptions.bodyLimit} bytes; send less.`);
    }
    if (error instanceof TooManyChunks) {
      await discard(request.raw, reply, DISCARDED_BYTES_IN_CHUNKS);
      return sendError(reply, 413, error.message);
    }
    if (error instanceof TooManyBytes) {
      if (!request.raw.readableEnded) await discard(request.raw, reply);
      reply.header('retry-after', 1);
      return sendError(reply, 503, error.message);
    }
    const known = LIBRARY_ERRORS[error.code];
    if (known) return sendError(reply, ...known);
    const status = error.statusCode ?? 500;
    if (status < 500) return sendError(reply, status, error.message);
    request.log.error({ err: error }, 'request failed');
    return sendError(reply, 500, FAILURE_MESSAGE);
  };
}

/**
 * Reads and discards the rest of a refused body, because the connection is closed after the answer. If data were unread
 * then, TCP would send a reset, which could overtake the answer.
 */
async function discard(body: Readable, reply: FastifyReply, bytes = DISCARDED_BYTES): Promise<void> {
  reply.header('connection', 'close');
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    let left = bytes;
    timer = setTimeout(resolve, DISCARD_MS);
    body.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) resolve();
    });
    for (const end of ['end', 'close', 'error']) body.once(end, () => resolve());
    body.resume();
  });
  clearTimeout(timer);
}

/** `path` names the member of the request that is wrong. */
export function sendError(reply: FastifyReply, status: number, message: string, path?: string): void {
  const body: ErrorAnswer = { error: STATUS_CODES[status] ?? 'Error', message, ...(path !== undefined && { path }) };
  void reply.code(status).send(body);
}

/** The message and the path: `/files/2/contents` becomes `files[2].contents`. */
function describeValidation({ validation }: FastifyError): [message: string, path?: string] {
  const first = validation?.[0];
  if (!first) return ['The request does not fit the schema.'];
  const missing = first.keyword === 'required' ? `/${String(first.params.missingProperty)}` : '';
  const path = `${first.instancePath}${missing}`
    .slice(1)
    .replace(/\/(\d+)/g, '[$1]')
    .replaceAll('/', '.');
  const shown = path.length > LONGEST_PATH ? `${path.slice(0, LONGEST_PATH)}...` : path;
  const allowed = first.keyword === 'enum' ? `: ${(first.params.allowedValues as string[]).join(', ')}` : '';
  const what = missing ? 'is missing' : `${first.message ?? 'is wrong'}${allowed}`;
  return path ? [`${shown} ${what}`, shown] : [`The body ${what}`];
}
