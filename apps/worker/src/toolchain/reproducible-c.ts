/** Decides whether a C or C++ source always compiles to the same object and messages. */
import { CPP_HEADER, DEFINABLE_NAMES, RESERVED_NAMES, SYSTEM_HEADERS } from './c-names.js';

export interface OwnFiles {
  /** Files that are checked as C. */
  readonly headers: ReadonlySet<string>;
  readonly names: ReadonlySet<string>;
}

/** GCC allows white space between the backslash and the line end. */
const SPLICE = /\\[ \t]*\n/g;
/** Off in the compilers' default mode; refused in case the mode changes. */
const TRIGRAPH = /\?\?[/=']/;

const LETTER = String.raw`[\w$\x80-\uffff]`;
const word = (words: string): string => `(?<!${LETTER})(?:${words})(?!${LETTER})`;
/**
 * Start of a raw string, except directly behind another literal. There C++ takes the prefix for the suffix of that
 * literal.
 */
const RAW_STRING = String.raw`(?<!${LETTER})(?:u8|[uUL])?R"`;
const ANY_RAW_STRING = new RegExp(RAW_STRING);

/**
 * Comments and literals, which are removed. Kept are numbers, the name in an #include, and everything from a raw string
 * that is not plain. An apostrophe in a number separates digits in C++ and starts a character in C, so such a number is
 * removed only where both languages end it in one place. Time is linear: no alternative is tried again on the same
 * text.
 */
const LITERALS_AND_COMMENTS = new RegExp(
  [
    String.raw`\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)`,
    String.raw`(?<!['"])${RAW_STRING}(?<end>\w{0,16})\([^]*?\)\k<end>"`,
    String.raw`(?<!${LETTER}|[.'])[0-9][0-9a-fA-FxX]*(?:'[0-9a-fA-F]+'[0-9a-fA-F]+)+[uUlLzZ]*(?!${LETTER}|[.'])`,
    String.raw`(?<kept>${RAW_STRING}[^]*|(?<!${LETTER}|\.)\.?[0-9](?:[eEpP][+-]|[\w.$\x80-\uffff])*'?|"(?<=\binclude(?:_next)?[ \t]*")[\w.+\/-]+")`,
    String.raw`"(?:[^"\\\n]+|\\[^\n])*"?|'(?:[^'\\\n]+|\\[^\n])*'?`,
  ].join('|'),
  'g',
);

/** After the removal, these mean: a literal not understood, an escaped name, or token pasting. */
const REFUSED_SIGN = /['\\]|R"|##/;

/** Suffixes of __DATE__ and its like, from which a system macro could paste the whole name. */
const FRAGMENTS = ['DATE', 'TIME', 'TIMESTAMP'].flatMap((name) => [
  name,
  ...Array.from(name, (_, start) => `${name.slice(start)}__?`),
]);
/** Words that pass text to the assembler or start a module. `include` is allowed as a directive. */
const REFUSED_WORD = new RegExp(
  `${word(`asm|gnu|import|incbin|${FRAGMENTS.join('|')}`)}|${word('include')}(?<!#[ \\t]*include)`,
);
const RESERVED_NAME = new RegExp(`(?<!${LETTER})(?=_[_A-Z])(?!(?:${RESERVED_NAMES})(?!${LETTER}))`);

/**
 * Attributes whose string reaches the assembler. A program may not define a macro that names one, because an attribute
 * of a system header could use it.
 */
const ATTRIBUTES = 'alias|fentry_name|fentry_section|ifunc|optimize|section|symver|target|target_clones|weakref';
const REFUSED_MACRO = new RegExp(
  `^[ \\t]*#[ \\t]*(?:define|undef)\\b(?:[ \\t]+(?=_[_A-Z])(?!(?:${DEFINABLE_NAMES})(?!${LETTER}))|[^\\n]*${word(ATTRIBUTES)})`,
  'm',
);

const DIRECTIVES = [
  String.raw`(?:define|undef|if|ifdef|ifndef|elif|elifdef|elifndef|else|endif|error|warning)\b`,
  String.raw`include(?:_next)?[ \t]*(?:"[\w.+\/-]+"|<[\w.+\/-]+>)`,
  String.raw`pragma[ \t]+(?:once|pack|omp|region|endregion|warning|STDC|GCC[ \t]+(?:diagnostic|ivdep|unroll))\b`,
  '$',
].join('|');
/** An unknown directive, or a `#` that is not first on its line. */
const REFUSED_DIRECTIVE = new RegExp(String.raw`^[ \t]*(?:#(?![ \t]*(?:${DIRECTIVES}))|[^ \t\n#][^\n#]*#)`, 'm');
const INCLUDE = /#[ \t]*include(?:_next)?[ \t]*["<](?:\.\/)*([^">]*)/g;
/** An include guard may have a reserved name: the system gives it no meaning, since it was undefined. */
const GUARD = /^[ \t]*#[ \t]*ifndef[ \t]+(__[A-Z]\w*__)[ \t]*\n[ \t]*#[ \t]*define[ \t]+\1[ \t]*$/gm;

const REFUSED = [REFUSED_SIGN, REFUSED_DIRECTIVE, REFUSED_MACRO, REFUSED_WORD, RESERVED_NAME];

/** `text` has no line ends other than LF and CRLF. */
export function isReproducibleC(text: string, own: OwnFiles): boolean {
  const lines = text.replace(/^\ufeff/, '').replaceAll('\r', '');
  const joined = lines.replace(SPLICE, '');
  // The compiler undoes line joining inside a raw string.
  if (joined.length < lines.length && ANY_RAW_STRING.test(joined)) return false;
  if (TRIGRAPH.test(joined)) return false;
  const code = joined.replace(LITERALS_AND_COMMENTS, ' $<kept> ').replaceAll('%:', '#').replace(GUARD, '');
  if (REFUSED.some((pattern) => pattern.test(code))) return false;
  return [...code.matchAll(INCLUDE)].every(
    ([, name = '']) => own.headers.has(name) || (!own.names.has(name) && isSystemHeader(name)),
  );
}

/** These headers neither read nor write files that a build leaves beside its sources. */
const isSystemHeader = (name: string): boolean => SYSTEM_HEADERS.has(name) || CPP_HEADER.test(name);
