/** Tells whether a client still waits for its answer. */
import type { ServerResponse } from 'node:http';

import type { FastifyReply } from 'fastify';

export interface Presence {
  /** Makes a signal that is aborted when the connection is closed. */
  gone(): AbortSignal;
  /** Makes a signal that is also aborted when the client closes its sending side: it may have gone. */
  silent(): AbortSignal;
}

export const presenceOf = ({ raw, request }: FastifyReply): Presence => ({
  gone: () => abortedOnClose(raw).signal,
  silent() {
    const silent = abortedOnClose(raw);
    const { socket } = request.raw;
    const abort = () => silent.abort();
    if (socket.readableEnded) abort();
    socket.once('end', abort);
    // The connection may carry more requests, so it must not keep this listener.
    raw.once('close', () => socket.off('end', abort));
    return silent.signal;
  },
});

function abortedOnClose(response: ServerResponse): AbortController {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  return controller;
}
