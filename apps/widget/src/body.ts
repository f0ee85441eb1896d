/** Parses bodies: JSON in UTF-8 only, with limits of depth and number of values. */
import type { IncomingMessage } from 'node:http';

import type { FastifyRequest } from 'fastify';

import type { App } from './app-type.js';
import { BODY_BYTES, BytesUnderWay, type Lease } from './bytes-under-way.js';
import { clientKey } from './client-address.js';
import { makeStrict } from './lenience.js';
import { readBody } from './read-body.js';

/** Maximum nesting of lists and objects. Requests need 3. Members that a client adds may be deeper. */
const MAX_DEPTH = 32;
/** In this count a list or an object is two values. A request with 100 files and 10,000 switches has 10,900. */
const MOST_VALUES = 20_000;
const TOO_DEEP = `The body has lists and objects more than ${MAX_DEPTH} deep in each other.`;
const TOO_MANY_VALUES = `The body has more than ${MOST_VALUES} values.`;
/** ASCII bytes, which are never part of another character in UTF-8. */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const OPEN_OBJECT = 0x7b;
const CLOSE_LIST = 0x5d;
const CLOSE_OBJECT = 0x7d;

/**
 * Replaces Fastify's parsers, which replace invalid UTF-8 and keep a list of chunks. A body of one-byte chunks takes
 * 250 times its size in such a list. A declared charset is ignored: JSON is always in UTF-8 (RFC 8259).
 */
export function acceptOnlyJson(app: App): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  const bodies = new BytesUnderWay(BODY_BYTES);
  const leases = new WeakMap<FastifyRequest, Lease>();
  app.addHook('preParsing', (request, reply, payload, done) => {
    leases.set(request, bodies.lease(clientKey(request), reply.raw));
    done(null, payload);
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', async (request: FastifyRequest, payload: IncomingMessage) => {
    const body = await readBody(payload, request.routeOptions.bodyLimit ?? 0, leases.get(request) as Lease);
    const text = textOf(body);
    const value = await new Promise<unknown>((resolve, reject) => {
      void parseJson(request, text, (error, parsed: unknown) => (error ? reject(error) : resolve(parsed)));
    });
    makeStrict(value);
    return value;
  });
}

function textOf(body: Buffer): string {
  const exceeded = limitExceeded(body);
  if (exceeded !== undefined) throw refusal(exceeded);
  const text = decode(body);
  if (text === undefined) throw refusal('The body is not valid UTF-8.');
  return text;
}

const refusal = (message: string) => Object.assign(new Error(message), { statusCode: 400 });

/** The message for an exceeded limit. Checked before parsing, because the parser could create a million lists first. */
function limitExceeded(json: Buffer): string | undefined {
  let depth = 0;
  let values = 1;
  let inString = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (inString) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) {
      inString = true;
    } else if (byte === COMMA) {
      if (++values > MOST_VALUES) return TOO_MANY_VALUES;
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++depth > MAX_DEPTH) return TOO_DEEP;
      if (++values > MOST_VALUES) return TOO_MANY_VALUES;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
      depth--;
    }
  }
  return undefined;
}

/** Undefined if the bytes are not UTF-8. Removes a byte order mark. */
function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
