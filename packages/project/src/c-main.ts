/** Whether a C or C++ file defines the function main, in whatever layout. */
import { cTokens, ELSE, ENDIF, IF, LITERAL } from './c-tokens.js';

/** How far the head of a definition of main has been read. */
type Part =
  | 'none'
  /** `main`, and perhaps the end of parentheses around it. */
  | 'name'
  | 'parameters'
  /** What stands before the body: attributes, a trailing return type, declarations in K&R style. */
  | 'end';

/** What is known at one place of the text. Flat, so that a copy is cheap: each #if keeps one. */
interface State {
  /** Open braces, those of `extern "C"` not counted: 0 is the scope of the file. */
  braces: number;
  /** Open parentheses and brackets of the declaration. */
  brackets: number;
  /** How many parentheses come directly before this token; those around main that are still open. */
  wraps: number;
  /** The token before, and the one before that. */
  before: string;
  earlier: string;
  isStatic: boolean;
  part: Part;
  /** The parameters' names in K&R style; undefined if one has a type. */
  names: Set<string> | undefined;
  /** K&R declarations that have ended. */
  declarations: number;
  /** Tokens of the K&R declaration that has not ended, and whether it names a parameter. */
  words: number;
  isOfParameter: boolean;
}

const START: State = {
  braces: 0,
  brackets: 0,
  wraps: 0,
  before: '',
  earlier: '',
  isStatic: false,
  part: 'none',
  names: undefined,
  declarations: 0,
  words: 0,
  isOfParameter: false,
};

const QUALIFIERS: readonly string[] = ['::', '.', '->', '~'];
const TYPES = /^(?:void|bool|char|short|int|long|float|double|signed|unsigned|const|struct|auto)$/;
const IDENTIFIER = /^[A-Za-z_]\w*$/;

/** Takes time that grows with the text and no faster, whatever the text. */
export function definesMain(text: string): boolean {
  let state = { ...START };
  /** For each open #if, the state before it, and that of a group which ended within the head of main. */
  const conditionals: { readonly start: State; head?: State }[] = [];

  for (const token of cTokens(text)) {
    if (token === IF) {
      conditionals.push({ start: { ...state } });
      continue;
    }
    if (token !== ELSE && token !== ENDIF) {
      if (take(state, token)) return true;
      continue;
    }
    // The groups are alternatives: each begins in the state before the #if, so that a brace counts once.
    const conditional = conditionals.at(-1);
    if (conditional && state.part !== 'none') conditional.head = state;
    if (token === ELSE) {
      if (conditional) state = { ...conditional.start };
    } else {
      conditionals.pop();
      if (conditional?.head?.braces === state.braces) state = conditional.head;
    }
  }
  return false;
}

/** Moves `state` behind `token`; answers whether the body of main begins there. */
function take(state: State, token: string): boolean {
  if (state.braces > 0) {
    if (token === '{') state.braces++;
    if (token === '}') state.braces--;
    if (state.braces === 0 && state.brackets === 0) state.isStatic = false;
  } else {
    if (beginsBody(state, token)) return true;
    state.part = nextPart(state, token);
    nest(state, token);
  }
  state.earlier = state.before;
  state.before = token;
  return false;
}

function beginsBody({ part, brackets, declarations, words }: State, token: string): boolean {
  if (part !== 'end' || brackets > 0) return false;
  if (token === 'try') return declarations === 0;
  return token === '{' && (declarations === 0 || words === 0);
}

function nextPart(state: State, token: string): Part {
  const { part, brackets, wraps, names } = state;
  if (part === 'name') {
    const isAttribute = token === '[' || brackets > wraps;
    if (isAttribute) return 'name';
    if (token === ')' && wraps > 0) {
      state.wraps--;
      return 'name';
    }
    if (token === '(' && wraps === 0) {
      state.names = new Set();
      state.declarations = 0;
      state.words = 0;
      state.isOfParameter = false;
      return 'parameters';
    }
  }
  if (part === 'parameters' && token !== ';') {
    if (token === ')' && brackets === 1) return 'end';
    if (!IDENTIFIER.test(token) || TYPES.test(token)) {
      if (token !== ',') state.names = undefined;
    } else {
      names?.add(token);
    }
    return 'parameters';
  }
  if (part === 'end' && goesOn(state, token)) return 'end';

  const isName = token === 'main' && brackets === wraps && !QUALIFIERS.includes(state.before);
  // A static main is some other function.
  return isName && !state.isStatic ? 'name' : 'none';
}

/** Whether `token` can stand between the parameters of main and its body. */
function goesOn(state: State, token: string): boolean {
  const { brackets, names } = state;
  if (names?.has(token)) state.isOfParameter = true;
  if (brackets > 0) return true;
  if (token === ';') {
    // In K&R style the declaration of a parameter ends here, otherwise a prototype.
    if (state.words === 0 || !state.isOfParameter) return false;
    state.declarations++;
    state.words = 0;
    state.isOfParameter = false;
    return true;
  }
  state.words++;
  return token !== 'main' && token !== '=' && (token !== ',' || Boolean(names?.size));
}

/** Keeps count of what is open in the scope of the file. */
function nest(state: State, token: string): void {
  if (token === '(' || token === '[') state.brackets++;
  if (token === ')' || token === ']') state.brackets = Math.max(0, state.brackets - 1);
  if (token === '{') {
    const isLinkage = state.earlier === 'extern' && state.before === LITERAL;
    if (!isLinkage) state.braces = 1;
    // In parentheses it is a part of the head, such as a lambda's body.
    if (state.brackets === 0) state.part = 'none';
  }
  if (token === 'static' && state.brackets === 0) state.isStatic = true;
  if (token === ';' || token === '}') {
    state.brackets = 0;
    state.isStatic = false;
  }
  if (state.part !== 'name') state.wraps = token === '(' ? state.wraps + 1 : 0;
}
