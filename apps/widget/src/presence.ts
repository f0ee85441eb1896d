/** Whether a client still waits for its answer. */
import type { ServerResponse } from 'node:http';

import type { FastifyReply } from 'fastify';

export interface Presence {
  /** Makes a signal that is aborted when the connection is closed. */
  gone(): AbortSignal;
  /**
   * Aborted as well when the client closes its sending side. It may read on or have gone: only
   * the answer's way to it will tell. So it is not waited for, and answered.
   */
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
    // The connection may be used for more requests.
    raw.once('close', () => socket.off('end', abort));
    return silent.signal;
  },
});

function abortedOnClose(response: ServerResponse): AbortController {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  return controller;
}
