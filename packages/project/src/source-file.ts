/** A file of a project: the name of a plain file in a flat folder, and its text. */
export interface SourceFile {
  readonly basename: string;
  readonly contents: string;
}
