/** The table of modes, and the commands of each step. */
import type { Mode } from '@code-widgets/protocol';

import { PROJECT_FILE } from './project-file.js';

export type Step =
  | { readonly kind: 'build' }
  /** Runs the program once, with the arguments of cli.txt. */
  | { readonly kind: 'run' }
  /** Runs the program once for each lab case, then gives the verdict. */
  | { readonly kind: 'judge' }
  | { readonly kind: 'prove'; readonly switches: readonly string[] };

/** A new mode needs its name in the protocol and its line here. */
const STEPS: Readonly<Record<Mode, readonly Step[]>> = {
  compile: [{ kind: 'build' }],
  run: [{ kind: 'build' }, { kind: 'run' }],
  submit: [{ kind: 'build' }, { kind: 'judge' }],
  prove: [{ kind: 'prove', switches: [] }],
  prove_flow: [{ kind: 'prove', switches: ['--mode=flow'] }],
  prove_report_all: [{ kind: 'prove', switches: ['--report=all'] }],
  prove_flow_report_all: [{ kind: 'prove', switches: ['--mode=flow', '--report=all'] }],
};

export const stepsOf = (mode: Mode): readonly Step[] => STEPS[mode];

export const isProveMode = (mode: Mode): boolean => STEPS[mode].some(({ kind }) => kind === 'prove');

export interface Command {
  /** No shell reads these words. */
  readonly argv: readonly string[];
  /** Shown to the user before the command starts. */
  readonly announcement: string;
}

export const BUILD_COMMAND: Command = command('gprbuild', '-q', '-P', PROJECT_FILE);

/** The contract has the space after the name, even without arguments. */
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

export function proveCommand(generation: GnatproveGeneration, switches: readonly string[]): Command {
  return command('gnatprove', '-P', PROJECT_FILE, ...PROVE_SWITCHES[generation], ...switches);
}

/**
 * Tells the generation by the help text: from 14 on, --checks-as-errors takes a value. The version does not help,
 * because a build from sources may call itself 0.0w. An image without gnatprove counts as the older generation.
 */
export function gnatproveGeneration(helpText: string): GnatproveGeneration {
  return /--checks-as-errors\[?=c/.test(helpText) ? 'from-14' : 'up-to-13';
}

function command(...argv: string[]): Command {
  return { argv, announcement: argv.join(' ') };
}
