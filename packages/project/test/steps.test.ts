import { describe, expect, it } from '@jest/globals';
import { MODES } from '@code-widgets/protocol';

import { BUILD_COMMAND, gnatproveGeneration, isProveMode, proveCommand, runCommand, stepsOf } from '../src/steps.js';

const proveSwitches = (mode: (typeof MODES)[number]) =>
  stepsOf(mode).map((step) => (step.kind === 'prove' ? step.switches.join(' ') : step.kind));

describe('the steps', () => {
  it('of every mode are known', () => {
    expect(Object.fromEntries(MODES.map((mode) => [mode, proveSwitches(mode)]))).toEqual({
      compile: ['build'],
      run: ['build', 'run'],
      submit: ['build', 'judge'],
      prove: [''],
      prove_flow: ['--mode=flow'],
      prove_report_all: ['--report=all'],
      prove_flow_report_all: ['--mode=flow --report=all'],
    });
  });

  it('include a proof in the prove modes', () => {
    expect(MODES.filter(isProveMode)).toEqual(MODES.filter((mode) => mode.startsWith('prove')));
  });
});

describe('a command', () => {
  it('to build is announced as it is run', () => {
    expect(BUILD_COMMAND).toEqual({
      argv: ['gprbuild', '-q', '-P', 'main.gpr'],
      announcement: 'gprbuild -q -P main.gpr',
    });
  });

  it('to run contains one argument per entry, unchanged', () => {
    expect(runCommand('show', ['*', '"a', '$HOME'])).toEqual({
      argv: ['./show', '*', '"a', '$HOME'],
      announcement: './show * "a $HOME',
    });
  });

  it('to run without arguments keeps the trailing space in its announcement', () => {
    expect(runCommand('main', [])).toEqual({ argv: ['./main'], announcement: './main ' });
  });

  it('to prove matches the generation of gnatprove', () => {
    expect(proveCommand('up-to-13', []).announcement).toBe(
      'gnatprove -P main.gpr --checks-as-errors --level=0 --no-axiom-guard',
    );
    expect(proveCommand('from-14', ['--mode=flow', '--report=all']).announcement).toBe(
      'gnatprove -P main.gpr --checks-as-errors=on --level=0 --function-sandboxing=off --mode=flow --report=all',
    );
    expect(proveCommand('from-14', []).argv).toHaveLength(6);
  });
});

describe('the generation of gnatprove', () => {
  it('is read from its help text', () => {
    const help = (line: string) =>
      `Usage: gnatprove -Pproj [switches] [-cargs switches]\n${line}\n -d, --debug  c=on\n`;
    expect(gnatproveGeneration(help('     --checks-as-errors=c  Treat unproved checks as errors (c=on, off*)'))).toBe(
      'from-14',
    );
    expect(gnatproveGeneration(help('     --checks-as-errors    Treat unproved checks as errors'))).toBe('up-to-13');
  });

  it('is the older one by default', () => {
    expect(gnatproveGeneration('')).toBe('up-to-13');
  });
});
