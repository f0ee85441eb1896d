/** `basename` is the name of a plain file in a flat folder. */
export interface SourceFile {
  readonly basename: string;
  readonly contents: string;
}
