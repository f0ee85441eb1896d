import fc from 'fast-check';

/**
 * The unit of strings of any characters, for `fc.string`: half of them ASCII, no lone surrogates.
 * fast-check's own unit `binary` builds a map of a million entries in each test file.
 */
export const anyCharacter = fc.oneof(
  fc.nat(0x7f).map((code) => String.fromCodePoint(code)),
  fc.nat(0x10f7ff).map((code) => String.fromCodePoint(code < 0xd800 ? code : code + 0x800)),
);
