/** How a body becomes a value: as JSON in UTF-8 and nothing else, and no deeper than a request can be. */
import type { App } from './app-type.js';
import { makeStrict } from './lenience.js';

/** Requests need 3; what a client adds of its own may go somewhat deeper. */
const DEEPEST = 32;
/** Of JSON's own characters, none of which is a part of another one in UTF-8. */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const OPEN_OBJECT = 0x7b;
const CLOSE_LIST = 0x5d;
const CLOSE_OBJECT = 0x7d;

/**
 * Takes the place of Fastify's parsers, which replace what is no UTF-8. JSON has no other charset
 * (RFC 8259): the one that is declared says nothing.
 */
export function acceptOnlyJson(app: App): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (isDeeperThan(DEEPEST, body)) return done(refusal(`The body has lists and objects more than ${DEEPEST} deep in each other.`));
    const text = decode(body);
    if (text === undefined) return done(refusal('The body is not valid UTF-8.'));
    return parseJson(request, text, (error, value: unknown) => {
      makeStrict(value);
      done(error, value);
    });
  });
}

const refusal = (message: string) => Object.assign(new Error(message), { statusCode: 400 });

/** Looks at each byte once and makes nothing of it, where a parser would make a million lists. */
function isDeeperThan(limit: number, json: Buffer): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (inString) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) {
      inString = true;
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++depth > limit) return true;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
      depth--;
    }
  }
  return false;
}

/** Undefined if the bytes are no UTF-8; a byte order mark is taken off. */
function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
