/** What a request may ask for at most. */
export interface RequestLimits {
  /** Files in one request, the special ones included. */
  readonly files: number;
  /** Bytes of a base name in UTF-8. */
  readonly fileNameBytes: number;
  /** Unicode code points of a file's contents. */
  readonly fileCodePoints: number;
  /** Unicode code points of the project's name. */
  readonly projectNameCodePoints: number;
  /** Cases in lab_io.txt. */
  readonly labCases: number;
  /** Digits of a case's key, which every item of its output bears. */
  readonly labKeyDigits: number;
  /** Bytes of one argument in UTF-8. */
  readonly argumentBytes: number;
}

/** The contract's defaults. */
export const REQUEST_LIMITS: RequestLimits = Object.freeze({
  files: 100,
  fileNameBytes: 200,
  fileCodePoints: 50_000,
  projectNameCodePoints: 200,
  labCases: 50,
  labKeyDigits: 20,
  // Linux refuses to execute with a longer one (MAX_ARG_STRLEN, its closing NUL counted).
  argumentBytes: 131_071,
});
