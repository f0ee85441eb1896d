/** C and C++ as tokens: without comments, with the preprocessor's groups marked and its other lines left out. */

/** What stands for any string, character or number. */
export const LITERAL = '"';

/** A group of #if or #ifdef begins; the next one of the same #if; the last one ends. No source has these as tokens. */
export const IF = '#if';
export const ELSE = '#else';
export const ENDIF = '#endif';

const BYTE_ORDER_MARK = 0xfeff;
const DIGRAPHS: Readonly<Record<string, string>> = { '<%': '{', '%>': '}', '<:': '[', ':>': ']', '%:': '#' };

/**
 * A token that is neither a name nor a single sign. No alternative can fail after it has begun, so none
 * is tried twice: the time grows with the text and no faster. A string without its end ends with its line.
 */
const TOKEN = new RegExp(
  [
    /\/\/[^\n]*|\/\*/, // a comment to the end of its line, the start of another one
    /\.?[0-9](?:[eEpP][+-]|'?[\w.])*/, // a number, with digit separators
    /"(?:[^"\\\n]+|\\[^\n])*"?|'(?:[^'\\\n]+|\\[^\n])*'?/,
    // `<::` is `<` and `::` unless another `:` or a `>` follows.
    /<%|%>|<:(?!:[^:>])|:>|%:|::|->|[^]/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'y',
);
const RAW_STRING_PREFIX = /^(?:u8|[uUL])?R$/;
const RAW_STRING_START = /"[^\s()\\"]{0,16}\(/y;
/** Enough for a condition that is a literal; of a longer one nothing is known. */
const MOST_WORDS = 10;

/** What a token that begins with a character can be. */
const OTHER = 0;
const SPACE = 1;
const SIGN = 2;
const NAME = 3;
const BEGINNINGS = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  if (/\s/.test(char)) return SPACE;
  if (/[A-Za-z_$]/.test(char)) return NAME;
  return /["'0-9./<:%-]/.test(char) ? OTHER : SIGN;
});
const beginning = (code: number): number => BEGINNINGS[code] ?? NAME;
const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

/** The tokens of `text`; one of several signs only where it matters, `::` and `->`. */
export function* cTokens(text: string): Generator<string, void> {
  const lines = joinLines(text);
  const conditionals = new Conditionals();
  /** The words of the preprocessor's line; undefined outside of one. */
  let directive: string[] | undefined;
  let isLineStart = true;
  for (let at = 0; at < lines.length;) {
    const start = at;
    const kind = beginning(lines.charCodeAt(at));
    if (kind === SPACE) {
      at++;
      if (lines[start] !== '\n') continue;
      const mark = directive && conditionals.mark(directive);
      if (mark !== undefined) yield mark;
      directive = undefined;
      isLineStart = true;
      continue;
    }
    at = kind === NAME ? nameEnd(lines, at) : kind === SIGN ? at + 1 : tokenEnd(lines, at);
    let token = lines.slice(start, at);
    if (kind === OTHER) {
      if (token.startsWith('//')) continue;
      if (token === '/*') {
        at = endAfter(lines, '*/', at);
        continue;
      }
      token = DIGRAPHS[token] ?? token;
    } else if (kind === NAME && lines[at] === '"' && RAW_STRING_PREFIX.test(token)) {
      at = rawStringEnd(lines, at);
      token = LITERAL;
    }
    if (directive) {
      if (directive.length < MOST_WORDS) directive.push(token);
    } else if (token === '#' && isLineStart) {
      directive = [];
    } else if (!conditionals.areSkipped) {
      yield kind === OTHER && /["'0-9]/.test(token) ? LITERAL : token;
    }
    isLineStart = false;
  }
}

function nameEnd(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length) {
    const code = text.charCodeAt(end);
    if (beginning(code) !== NAME && !isDigit(code)) break;
    end++;
  }
  return end;
}

function tokenEnd(text: string, start: number): number {
  TOKEN.lastIndex = start;
  TOKEN.test(text);
  return TOKEN.lastIndex;
}

/** Lines end in \n, and one that ends in a backslash goes on in the next. */
function joinLines(text: string): string {
  return text
    .slice(text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0)
    .replace(/\r\n?/g, '\n')
    .replace(/\\[^\S\n]*\n/g, '');
}

/** `start` is where the first quote is. One that does not open a raw string opens one of no characters here. */
function rawStringEnd(text: string, start: number): number {
  RAW_STRING_START.lastIndex = start;
  if (!RAW_STRING_START.test(text)) return start;
  const opening = RAW_STRING_START.lastIndex;
  return endAfter(text, `)${text.slice(start + 1, opening - 1)}"`, opening);
}

function endAfter(text: string, end: string, start: number): number {
  const found = text.indexOf(end, start);
  return found < 0 ? text.length : found + end.length;
}

interface Conditional {
  /** A group of it is sure to count, and those behind that one are not. */
  isDecided: boolean;
  /** The group that it is in is skipped. */
  readonly isInSkipped: boolean;
}

/** The #ifs that are open. Only what a literal 0 or 1 decides is known. */
class Conditionals {
  private readonly open: Conditional[] = [];
  areSkipped = false;

  /** Takes a line of the preprocessor; answers the mark that the line leaves among the tokens, if any. */
  mark([name = '', ...condition]: readonly string[]): string | undefined {
    const group = this.open.at(-1);
    if (/^if(?:n?def)?$/.test(name)) {
      this.open.push({ isDecided: false, isInSkipped: this.areSkipped });
      if (this.areSkipped) return undefined;
      this.decide(name, condition);
      return IF;
    }
    if (group === undefined) return undefined;
    if (/^el(?:se|if(?:n?def)?)$/.test(name)) {
      if (group.isInSkipped) return undefined;
      const isOver = group.isDecided;
      this.areSkipped = isOver;
      if (!isOver) this.decide(name, condition);
      return isOver ? undefined : ELSE;
    }
    if (name !== 'endif') return undefined;
    this.open.pop();
    this.areSkipped = group.isInSkipped;
    return group.isInSkipped ? undefined : ENDIF;
  }

  private decide(name: string, condition: readonly string[]): void {
    const group = this.open.at(-1);
    const isKnown = /^(?:el)?if$/.test(name) && condition.length < MOST_WORDS - 1;
    const value = isKnown ? condition.filter((word) => word !== '(' && word !== ')').join(' ') : '';
    if (group && (value === '1' || value === 'true')) group.isDecided = true;
    this.areSkipped = value === '0' || value === 'false';
  }
}
