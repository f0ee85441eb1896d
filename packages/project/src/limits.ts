/** What a request may ask for, and the settings that say so. */
import { Type, type Static, type TObject } from 'typebox';

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
  projectNameCodePoints: 512,
  labCases: 50,
  labKeyDigits: 20,
  // Linux refuses to execute with a longer one (MAX_ARG_STRLEN, its closing NUL counted).
  argumentBytes: 131_071,
});

/** A file's name may have 255 bytes, and the tools add prefixes and suffixes of their own. */
const LONGEST_FILE_NAME_BYTES = 240;

/** At four bytes each, what the launcher takes of a file: FILE_BYTES of launcher.h. */
const MOST_FILE_CODE_POINTS = 2_000_000;

const limit = (standard: number, maximum?: number) =>
  Type.Integer({ minimum: 1, default: standard, ...(maximum !== undefined && { maximum }) });

/** The same for widgets, which refuse by them, and workers, which trust no message. */
export const REQUEST_SETTINGS = {
  REQUEST_LIMIT_FILES: limit(REQUEST_LIMITS.files),
  FILE_NAME_LIMIT_BYTES: limit(REQUEST_LIMITS.fileNameBytes, LONGEST_FILE_NAME_BYTES),
  FILE_LIMIT_CODE_POINTS: limit(REQUEST_LIMITS.fileCodePoints, MOST_FILE_CODE_POINTS),
  PROJECT_NAME_LIMIT_CODE_POINTS: limit(REQUEST_LIMITS.projectNameCodePoints),
  LAB_LIMIT_CASES: limit(REQUEST_LIMITS.labCases),
  ADA_RESTRICTIONS: Type.Enum(['original', 'none'], { default: 'original' }),
};

/** What an installation decides about every project. */
export interface ProjectOptions {
  /** The contract's without it. */
  readonly limits?: RequestLimits;
  /** Whether main.adc keeps Ada programs from importing what was not sent; true without it. */
  readonly restricted?: boolean;
}

export function projectOptions(settings: Readonly<Static<TObject<typeof REQUEST_SETTINGS>>>): ProjectOptions {
  const limits: RequestLimits = {
    ...REQUEST_LIMITS,
    files: settings.REQUEST_LIMIT_FILES,
    fileNameBytes: settings.FILE_NAME_LIMIT_BYTES,
    fileCodePoints: settings.FILE_LIMIT_CODE_POINTS,
    projectNameCodePoints: settings.PROJECT_NAME_LIMIT_CODE_POINTS,
    labCases: settings.LAB_LIMIT_CASES,
  };
  return Object.freeze({ limits: Object.freeze(limits), restricted: settings.ADA_RESTRICTIONS === 'original' });
}
