/** A string literal of a project file, by its value. */
export interface Literal {
  readonly literal: string;
}
export type Statement = readonly (string | Literal)[];

/** Splits a project file into statements, each a list of tokens. Throws on characters that GNAT rejects. */
export function gprStatements(text: string): Statement[] {
  const done: Statement[] = [];
  let current: (string | Literal)[] = [];
  const token = /\s+|--.*|"((?:[^"\n]|"")*)"|(\w+|=>|[(),;])/uy;
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const found = token.exec(text);
    if (!found) throw new Error(`no token at ${JSON.stringify(text.slice(at, at + 20))}`);
    const [, literal, word] = found;
    if (literal !== undefined) current.push({ literal: literal.replaceAll('""', '"') });
    if (word !== undefined && word !== ';') current.push(word);
    if (word === ';' || word === 'is') {
      done.push(current);
      current = [];
    }
  }
  if (current.length > 0) throw new Error('the last statement has no end');
  return done;
}
