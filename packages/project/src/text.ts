/** C0, DEL and C1: what has no place in a name, a header or a line of a log. */
const CONTROL = /\p{Cc}/u;
/** Half of a UTF-16 pair: no UTF-8 can carry it. */
const LONE_SURROGATE = /\p{Cs}/u;

export const hasControlCharacter = (text: string): boolean => CONTROL.test(text);

export const hasLoneSurrogate = (text: string): boolean => LONE_SURROGATE.test(text);

/** Whether `text` has more than `max` Unicode code points. */
export function isLongerThan(text: string, max: number): boolean {
  // A code point is one or two UTF-16 units: most texts need no counting.
  if (text.length <= max) return false;
  return text.length > 2 * max || [...text].length > max;
}

/** `names`, quoted, as a part of a sentence. */
export function listed(names: readonly string[]): string {
  const quoted = names.map((name) => `"${name}"`);
  const last = quoted.pop() ?? '';
  return quoted.length === 0 ? last : `${quoted.join(', ')} and ${last}`;
}
