/** GNAT's rules for file names: the unit's name in lower case, with "-" for each dot. */

/** Reserved words. gprbuild ignores a file whose name contains one. */
const RESERVED = new Set(
  (
    'abort abs abstract accept access aliased all and array at begin body case constant declare delay delta digits do ' +
    'else elsif end entry exception exit for function generic goto if in is limited loop mod new not null of or others ' +
    'out package pragma private procedure protected raise range record rem renames requeue return reverse select ' +
    'separate subtype tagged task terminate then type until use when while with xor'
  ).split(' '),
);

/** Ada's root packages. A file with such a name breaks the compiler's own library. */
const ROOTS = new Set(['ada', 'gnat', 'interfaces', 'system']);

/** Units of Ada's library, and their files. A body without a specification counts as the library's. */
const LIBRARY = new Set(
  (
    'calendar directio direct_io interfac ioexcept io_exceptions machcode machine_code sequenio sequential_io text_io ' +
    'unchconv unchecked_conversion unchdeal unchecked_deallocation'
  ).split(' '),
);

const IDENTIFIER = '[a-z][a-z0-9]*(?:_[a-z0-9]+)*';
/** In a child of a unit A, G, I or S, "__" or "~" may replace the first "-", because a-x.ads could be the library's. */
const NAME = new RegExp(`^(?:[agis](?:__|~))?${IDENTIFIER}(?:-${IDENTIFIER})*$`);

/** The unit's name, with "-" for each dot, by a file name without its ending. */
export const unitOf = (stem: string): string => stem.replace(/^([agis])(?:__|~)/, '$1-');

/** Whether the tools accept `stem` as the name of an .adb or .ads file. */
export const isAdaName = (stem: string): boolean => NAME.test(stem) && reservedWordIn(stem) === undefined;

/** The reserved word in the unit's name, if any. */
export const reservedWordIn = (stem: string): string | undefined =>
  unitOf(stem)
    .split(/[-.]/)
    .find((word) => RESERVED.has(word));

/** Whether the compiler would take the file for one of its library. */
export const isLibraryName = (stem: string, hasSpec: boolean): boolean =>
  ROOTS.has(stem) || (LIBRARY.has(stem) && !hasSpec);

export function adaNameFor(stem: string): string {
  const words = stem
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .split(/[-.]/)
    .map((part) => part.replace(/[^a-z0-9]+/g, '_').replace(/^_|_$/g, ''))
    .filter((part) => part !== '')
    .map((part) => (RESERVED.has(part) ? `my_${part}` : part.replace(/^[0-9]/, 'unit_$&')));
  return words.join('-') || 'unit';
}
