/** Whether a C or C++ source gives the same object and the same messages whenever it is compiled. */
import { CPP_HEADER, DEFINABLE_NAMES, RESERVED_NAMES, SYSTEM_HEADERS } from './c-names.js';

export interface OwnFiles {
  /** Those that are checked as C. */
  readonly headers: ReadonlySet<string>;
  readonly names: ReadonlySet<string>;
}

/** GCC also takes a line for continued if there is white space behind its backslash. */
const SPLICE = /\\[ \t]*\n/g;
/** Off in the compilers' default mode, in which programs are built: refused in case that changes. */
const TRIGRAPH = /\?\?[/=']/;

const LETTER = String.raw`[\w$\x80-\uffff]`;
const word = (words: string): string => `(?<!${LETTER})(?:${words})(?!${LETTER})`;
/** Directly behind another literal, the prefix is a suffix of that one to C++. */
const RAW_STRING = String.raw`(?<!${LETTER})(?:u8|[uUL])?R"`;
const ANY_RAW_STRING = new RegExp(RAW_STRING);

/**
 * Comments and literals. Kept are: numbers; the name in an #include; the start of a raw string that is
 * not plain, with all behind it. C++ takes an apostrophe within a number for a digit separator, C for the
 * start of a character: such a number is dropped only where both end it in the same place.
 * No alternative is tried again on the same text, so that the time is linear in its length.
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

/** What is left of these in code: a literal that was not understood, a name in escapes, an operator that pastes. */
const REFUSED_SIGN = /['\\]|R"|##/;

/** The end of a macro for the time, from which a macro of the system's could paste the whole. */
const FRAGMENTS = ['DATE', 'TIME', 'TIMESTAMP'].flatMap((name) => [
  name,
  ...Array.from(name, (_, start) => `${name.slice(start)}__?`),
]);
/** Words that hand text to the assembler or begin a module. A directive's name is left out. */
const REFUSED_WORD = new RegExp(
  `${word(`asm|gnu|import|incbin|${FRAGMENTS.join('|')}`)}|${word('include')}(?<!#[ \\t]*include)`,
);
const RESERVED_NAME = new RegExp(`(?<!${LETTER})(?=_[_A-Z])(?!(?:${RESERVED_NAMES})(?!${LETTER}))`);

/**
 * Attributes whose string reaches the assembler. A system header's attribute could hold a name that the
 * program defines.
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
/** A directive that is not known, or a `#` behind something else. */
const REFUSED_DIRECTIVE = new RegExp(String.raw`^[ \t]*(?:#(?![ \t]*(?:${DIRECTIVES}))|[^ \t\n#][^\n#]*#)`, 'm');
const INCLUDE = /#[ \t]*include(?:_next)?[ \t]*["<](?:\.\/)*([^">]*)/g;
/** A header's guard may have a reserved name, which means nothing to the system: it is not defined before. */
const GUARD = /^[ \t]*#[ \t]*ifndef[ \t]+(__[A-Z]\w*__)[ \t]*\n[ \t]*#[ \t]*define[ \t]+\1[ \t]*$/gm;

const REFUSED = [REFUSED_SIGN, REFUSED_DIRECTIVE, REFUSED_MACRO, REFUSED_WORD, RESERVED_NAME];

/** The text has no line end but `\n` and `\r\n`. */
export function isReproducibleC(text: string, own: OwnFiles): boolean {
  const lines = text.replace(/^\ufeff/, '').replaceAll('\r', '');
  const joined = lines.replace(SPLICE, '');
  // The compiler undoes the joining within a raw string.
  if (joined.length < lines.length && ANY_RAW_STRING.test(joined)) return false;
  if (TRIGRAPH.test(joined)) return false;
  const code = joined.replace(LITERALS_AND_COMMENTS, ' $<kept> ').replaceAll('%:', '#').replace(GUARD, '');
  if (REFUSED.some((pattern) => pattern.test(code))) return false;
  return [...code.matchAll(INCLUDE)].every(
    ([, name = '']) => own.headers.has(name) || (!own.names.has(name) && isSystemHeader(name)),
  );
}

/** Of the image, and none of which writes or reads what a build leaves beside its sources. */
const isSystemHeader = (name: string): boolean => SYSTEM_HEADERS.has(name) || CPP_HEADER.test(name);
