/** `text` with at most `length` UTF-16 units, and an ellipsis if some were left out. Cuts no surrogate pair in two. */
export function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  return `${text.slice(0, length).replace(/[\ud800-\udbff]$/, '')}\u2026`;
}
