/** Cuts `text` to `length` UTF-16 units and adds an ellipsis. Never splits a surrogate pair. */
export function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  return `${text.slice(0, length).replace(/[\ud800-\udbff]$/, '')}\u2026`;
}
