/** C0, DEL and C1, which are not allowed in a name, a header or a log line. */
const CONTROL = /\p{Cc}/u;
/** Half of a UTF-16 pair, which UTF-8 cannot encode. */
const LONE_SURROGATE = /\p{Cs}/u;

export const hasControlCharacter = (text: string): boolean => CONTROL.test(text);

export const hasLoneSurrogate = (text: string): boolean => LONE_SURROGATE.test(text);

/** `max` is in Unicode code points. */
export function isLongerThan(text: string, max: number): boolean {
  // A code point has one or two UTF-16 units, so most texts need no counting.
  if (text.length <= max) return false;
  return text.length > 2 * max || [...text].length > max;
}

/** Quotes the names and joins them for a sentence. */
export function listed(names: readonly string[]): string {
  const quoted = names.map((name) => `"${name}"`);
  const last = quoted.pop() ?? '';
  return quoted.length === 0 ? last : `${quoted.join(', ')} and ${last}`;
}
