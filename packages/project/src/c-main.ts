/** Finds out whether a C or C++ file defines the function main. */
import { cTokens, ELSE, ENDIF, IF, LITERAL } from './c-tokens.js';

/** Parser state for the head of a definition of main. */
type Part =
  | 'none'
  /** `main`, perhaps with closing parentheses around it. */
  | 'name'
  | 'parameters'
  /** Between parameters and body: attributes, a trailing return type, K&R declarations. */
  | 'end';

/** Parser state at one place. Flat, since each #if copies it. */
interface State {
  /** Open braces, without those of `extern "C"`; 0 is file scope. */
  braces: number;
  brackets: number;
  /** Number of open parentheses directly before this token, or around `main`. */
  wraps: number;
  /** The previous token, and the one before it. */
  before: string;
  earlier: string;
  isStatic: boolean;
  part: Part;
  /** Parameter names in K&R style; undefined if a parameter has a type. */
  names: Set<string> | undefined;
  declarations: number;
  /** Tokens of the open K&R declaration, and whether it names a parameter. */
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

/** Takes linear time for any text. */
export function definesMain(text: string): boolean {
  let state = { ...START };
  /** For each open #if: the state before it, and the state of a group that ended inside a head of main. */
  const conditionals: { readonly start: State; head?: State }[] = [];

  for (const token of cTokens(text)) {
    if (token === IF) {
      conditionals.push({ start: { ...state } });
      continue;
    }
    if (token !== ELSE && token !== ENDIF) {
      if (advance(state, token)) return true;
      continue;
    }
    // Groups are alternatives. Each starts from the state before the #if, so that a brace counts once.
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

/** Updates `state` for `token`. Returns whether the body of main begins there. */
function advance(state: State, token: string): boolean {
  if (state.braces > 0) {
    if (token === '{') state.braces++;
    if (token === '}') state.braces--;
    if (state.braces === 0 && state.brackets === 0) state.isStatic = false;
  } else {
    if (beginsBody(state, token)) return true;
    state.part = nextPart(state, token);
    countBrackets(state, token);
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
  if (part === 'end' && canPrecedeBody(state, token)) return 'end';

  const isName = token === 'main' && brackets === wraps && !QUALIFIERS.includes(state.before);
  // A static main is not the entry point.
  return isName && !state.isStatic ? 'name' : 'none';
}

function canPrecedeBody(state: State, token: string): boolean {
  const { brackets, names } = state;
  if (names?.has(token)) state.isOfParameter = true;
  if (brackets > 0) return true;
  if (token === ';') {
    // This ends the declaration of a K&R parameter, or else a prototype.
    if (state.words === 0 || !state.isOfParameter) return false;
    state.declarations++;
    state.words = 0;
    state.isOfParameter = false;
    return true;
  }
  state.words++;
  return token !== 'main' && token !== '=' && (token !== ',' || Boolean(names?.size));
}

function countBrackets(state: State, token: string): void {
  if (token === '(' || token === '[') state.brackets++;
  if (token === ')' || token === ']') state.brackets = Math.max(0, state.brackets - 1);
  if (token === '{') {
    const isLinkage = state.earlier === 'extern' && state.before === LITERAL;
    if (!isLinkage) state.braces = 1;
    // Inside parentheses it belongs to the head, for example a lambda's body.
    if (state.brackets === 0) state.part = 'none';
  }
  if (token === 'static' && state.brackets === 0) state.isStatic = true;
  if (token === ';' || token === '}') {
    state.brackets = 0;
    state.isStatic = false;
  }
  if (state.part !== 'name') state.wraps = token === '(' ? state.wraps + 1 : 0;
}
