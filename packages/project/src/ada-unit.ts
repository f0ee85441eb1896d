/** What an Ada source holds, as far as the choice of the main program needs it. */

/** A comment, a string, a character, a word or a sign. None fails late, so that the time grows with the text. */
const TOKEN = /--[^\r\n]*|"[^"\r\n]*"|'[^]'|\w+|[^\s\w]/g;
/** Words that what comes before a unit begins with: each goes up to a semicolon. */
const CONTEXT = /^(?:with|use|limited|pragma)$/;

/** The first word of the unit behind its context clauses, in lower case: `procedure`, `package`, `separate`. */
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
