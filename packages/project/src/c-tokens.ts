/** Splits C and C++ into tokens. Drops comments and directives; marks groups of #if. */

/** Stands for any string, character or number. */
export const LITERAL = '"';

/** Begin of an #if, begin of its next group, and its end. No source has these as tokens. */
export const IF = '#if';
export const ELSE = '#else';
export const ENDIF = '#endif';

const BYTE_ORDER_MARK = 0xfeff;
const DIGRAPHS: Readonly<Record<string, string>> = { '<%': '{', '%>': '}', '<:': '[', ':>': ']', '%:': '#' };

/**
 * Tokens other than names and single signs. Time is linear, since no alternative fails after it has begun. An
 * unterminated string ends with its line.
 */
const TOKEN = new RegExp(
  [
    /\/\/[^\n]*|\/\*/, // a line comment, or the start of a block comment
    /\.?[0-9](?:[eEpP][+-]|'?[\w.])*/, // a number, with digit separators
    /"(?:[^"\\\n]+|\\[^\n])*"?|'(?:[^'\\\n]+|\\[^\n])*'?/,
    // C++ reads `<::` as `<` and `::`, unless `:` or `>` follows.
    /<%|%>|<:(?!:[^:>])|:>|%:|::|->|[^]/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'y',
);
const RAW_STRING_PREFIX = /^(?:u8|[uUL])?R$/;
const RAW_STRING_START = /"[^\s()\\"]{0,16}\(/y;
/** Words of a directive that are looked at: enough for a literal condition. Longer conditions count as unknown. */
const MOST_WORDS = 10;

/** Kinds of tokens, by their first character. */
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

/** The tokens of `text`. Only `::` and `->` are tokens of several signs. */
export function* cTokens(text: string): Generator<string, void> {
  const lines = joinLines(text);
  const conditionals = new Conditionals();
  /** Words of the current directive; undefined outside of one. */
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

/** Makes LF the only line end, and joins lines that end in a backslash. */
function joinLines(text: string): string {
  return text
    .slice(text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0)
    .replace(/\r\n?/g, '\n')
    .replace(/\\[^\S\n]*\n/g, '');
}

/** `start`: index of the first quote. Returns it unchanged if no raw string begins there. */
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
  /** A group was certainly compiled, so all later groups are skipped. */
  isDecided: boolean;
  /** Whether the whole #if is in a skipped group. */
  readonly isInSkipped: boolean;
}

/** Open #ifs. Only literal conditions 0, 1, true and false are evaluated. */
class Conditionals {
  private readonly open: Conditional[] = [];
  areSkipped = false;

  /** Handles a directive. Returns the mark that it leaves among the tokens, if any. */
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
