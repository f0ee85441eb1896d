/** Finds out what kind of unit an Ada source has. */

/** A comment, a string, a character, a word or a sign. Time is linear: no alternative fails late. */
const TOKEN = /--[^\r\n]*|"[^"\r\n]*"|'[^]'|\w+|[^\s\w]/g;
/** First words of context clauses. Each clause ends with a semicolon. */
const CONTEXT = /^(?:with|use|limited|pragma)$/;

/** The first word after the context clauses, in lower case: `procedure`, `package`, `separate`. */
export function unitKeyword(text: string): string {
  let isInContext = false;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token.startsWith('--')) continue;
    const word = token.toLowerCase();
    if (isInContext) {
      isInContext = word !== ';';
    } else if (CONTEXT.test(word)) {
      isInContext = true;
    } else if (word !== 'private') {
      return word;
    }
  }
  return '';
}
