/** From a mode to the commands that it takes. What is announced is what is run. */
import type { Mode } from '@code-widgets/protocol';

import { PROJECT_FILE } from './project-file.js';

export type Step =
  | { readonly kind: 'build' }
  /** One run, with the arguments of cli.txt. */
  | { readonly kind: 'run' }
  /** One run per lab case, then the verdict. */
  | { readonly kind: 'judge' }
  | { readonly kind: 'prove'; readonly switches: readonly string[] };

/** The one table of modes: a new one needs its name in the protocol and its line here. */
const STEPS: Readonly<Record<Mode, readonly Step[]>> = {
  compile: [{ kind: 'build' }],
  run: [{ kind: 'build' }, { kind: 'run' }],
  submit: [{ kind: 'build' }, { kind: 'judge' }],
  prove: [{ kind: 'prove', switches: [] }],
  prove_flow: [{ kind: 'prove', switches: ['--mode=flow'] }],
  prove_report_all: [{ kind: 'prove', switches: ['--report=all'] }],
  prove_flow_report_all: [{ kind: 'prove', switches: ['--mode=flow', '--report=all'] }],
};

/** The steps of a mode, in order. */
export const stepsOf = (mode: Mode): readonly Step[] => STEPS[mode];

export const isProveMode = (mode: Mode): boolean => STEPS[mode].some(({ kind }) => kind === 'prove');

export interface Command {
  /** The program and its arguments, one entry a word; no shell comes near it. */
  readonly argv: readonly string[];
  /** What the user is shown before it starts. */
  readonly announcement: string;
}

export const BUILD_COMMAND: Command = command('gprbuild', '-q', '-P', PROJECT_FILE);

/** Runs what the build has made. The space after its name stays without arguments: the contract's. */
export function runCommand(executable: string, words: readonly string[]): Command {
  const program = `./${executable}`;
  return { argv: [program, ...words], announcement: `${program} ${words.join(' ')}` };
}

/** gnatprove 14 changed its command line. */
export type GnatproveGeneration = 'up-to-13' | 'from-14';

const PROVE_SWITCHES: Readonly<Record<GnatproveGeneration, readonly string[]>> = {
  'up-to-13': ['--checks-as-errors', '--level=0', '--no-axiom-guard'],
  'from-14': ['--checks-as-errors=on', '--level=0', '--function-sandboxing=off'],
};

/** @param switches those of the step */
export function proveCommand(generation: GnatproveGeneration, switches: readonly string[]): Command {
  return command('gnatprove', '-P', PROJECT_FILE, ...PROVE_SWITCHES[generation], ...switches);
}

/**
 * Which command line a gnatprove takes, by what its `--help` prints: from 14 on --checks-as-errors
 * has a value. (Its version will not do: a build from the sources may call itself 0.0w.) Text that
 * says nothing of it, as of an image without gnatprove, counts as the older one.
 */
export function gnatproveGeneration(helpText: string): GnatproveGeneration {
  return /--checks-as-errors\[?=c/.test(helpText) ? 'from-14' : 'up-to-13';
}

function command(...argv: string[]): Command {
  return { argv, announcement: argv.join(' ') };
}
