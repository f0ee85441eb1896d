/** Limits of a request, and their settings. */
import { Type, type Static, type TObject } from 'typebox';

export interface RequestLimits {
  /** Files of a request, including cli.txt and lab_io.txt. */
  readonly files: number;
  /** Of a base name, in UTF-8. */
  readonly fileNameBytes: number;
  readonly fileCodePoints: number;
  readonly projectNameCodePoints: number;
  readonly labCases: number;
  /** Digits of a case's key. Each output item of the case repeats the key. */
  readonly labKeyDigits: number;
  /** Of one argument, in UTF-8. */
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
  // Linux cannot execute with a longer argument (MAX_ARG_STRLEN, which counts the NUL).
  argumentBytes: 131_071,
});

/** File systems allow 255 bytes, and the tools add prefixes and suffixes. */
const LONGEST_FILE_NAME_BYTES = 240;

/** At four bytes each they fit into FILE_BYTES of launcher.h. */
const MOST_FILE_CODE_POINTS = 2_000_000;

const limit = (standard: number, maximum?: number) =>
  Type.Integer({ minimum: 1, default: standard, ...(maximum !== undefined && { maximum }) });

/** The API refuses requests that exceed these limits. Workers check again, since they do not trust messages. */
export const REQUEST_SETTINGS = {
  REQUEST_LIMIT_FILES: limit(REQUEST_LIMITS.files),
  FILE_NAME_LIMIT_BYTES: limit(REQUEST_LIMITS.fileNameBytes, LONGEST_FILE_NAME_BYTES),
  FILE_LIMIT_CODE_POINTS: limit(REQUEST_LIMITS.fileCodePoints, MOST_FILE_CODE_POINTS),
  PROJECT_NAME_LIMIT_CODE_POINTS: limit(REQUEST_LIMITS.projectNameCodePoints),
  LAB_LIMIT_CASES: limit(REQUEST_LIMITS.labCases),
  ADA_RESTRICTIONS: Type.Enum(['original', 'none'], { default: 'original' }),
};

export interface ProjectOptions {
  /** Default: the contract's. */
  readonly limits?: RequestLimits;
  /** Whether main.adc keeps Ada programs from importing foreign code; default true. */
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
