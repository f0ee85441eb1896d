/** Names of Ada files, as GNAT and gprbuild take them: that of the unit, in lower case, "-" for each dot. */

/** Words that no unit can be called; gprbuild passes over such a file. */
const RESERVED = new Set(
  (
    'abort abs abstract accept access aliased all and array at begin body case constant declare delay delta digits do ' +
    'else elsif end entry exception exit for function generic goto if in is limited loop mod new not null of or others ' +
    'out package pragma private procedure protected raise range record rem renames requeue return reverse select ' +
    'separate subtype tagged task terminate then type until use when while with xor'
  ).split(' '),
);

/** Ada's own root packages: with a file of this name, what the compiler brings itself stops compiling. */
const ROOTS = new Set(['ada', 'gnat', 'interfaces', 'system']);

/** Units of Ada's own library, and the files they are in: a body alone is taken for theirs. */
const LIBRARY = new Set(
  (
    'calendar directio direct_io interfac ioexcept io_exceptions machcode machine_code sequenio sequential_io text_io ' +
    'unchconv unchecked_conversion unchdeal unchecked_deallocation'
  ).split(' '),
);

const IDENTIFIER = '[a-z][a-z0-9]*(?:_[a-z0-9]+)*';
/** In place of the first "-", a unit below A, G, I or S may have "__" or "~": a-x.ads could be the library's. */
const NAME = new RegExp(`^(?:[agis](?:__|~))?${IDENTIFIER}(?:-${IDENTIFIER})*$`);

/** The unit that a file called `stem` is taken to hold, with "-" for each dot. */
export const unitOf = (stem: string): string => stem.replace(/^([agis])(?:__|~)/, '$1-');

/** Whether a file called `stem` and .adb or .ads is an Ada source to the tools. */
export const isAdaName = (stem: string): boolean => NAME.test(stem) && reservedWordIn(stem) === undefined;

/** The reserved word in the name of the unit that a file called `stem` is taken to hold. */
export const reservedWordIn = (stem: string): string | undefined =>
  unitOf(stem)
    .split(/[-.]/)
    .find((word) => RESERVED.has(word));

/** Whether the compiler would take a file called `stem` for its own library's. */
export const isLibraryName = (stem: string, hasSpec: boolean): boolean =>
  ROOTS.has(stem) || (LIBRARY.has(stem) && !hasSpec);

/** A name that the tools take, as close to `stem` as it can be. */
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
