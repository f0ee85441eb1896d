/** The launcher checks user, confinement and variables of each request itself. */
import { afterAll, describe, expect, it, jest } from '@jest/globals';

import { makeContainer } from '../../packages/sandbox/src/container.js';
import { warmSpec } from '../../packages/sandbox/src/container-options.js';
import { createDockerRuntime } from '../../packages/sandbox/src/docker-runtime.js';
import { IdleGate } from '../../packages/sandbox/src/idle-gate.js';
import type { Profile } from '../../packages/sandbox/src/job.js';
import {
  BUILDER,
  CONFINEMENTS,
  FIRST_RUNNER,
  INSPECT,
  RECEIVED,
  RUNNERS,
  START_BYTES,
} from '../../packages/sandbox/src/launcher-protocol.js';
import { readLauncher } from '../../packages/sandbox/src/launcher-reader.js';
import { Removals } from '../../packages/sandbox/src/removals.js';
import { address, confining, containers, profiles, warnings } from './sandbox-harness.js';

jest.setTimeout(60_000);

const runtime = createDockerRuntime(address);
const removals = new Removals(runtime, new IdleGate(), { warn: (_, message) => warnings.push(message) });
afterAll(async () => {
  await removals.settled();
  expect(await containers()).toEqual([]);
});

const { TOOL, PROGRAM } = CONFINEMENTS;
/** Exit code of a launcher that refuses a request. */
const REFUSED = 70;
const LAST_RUNNER = FIRST_RUNNER + RUNNERS - 1;
/** The launcher's limit for one variable. */
const VARIABLE_BYTES = 4096;
const TIME_MS = 5000;
const OUTPUT_BYTES = 4096;

function frame(type: string, payload: string | Buffer = ''): Buffer {
  const bytes = Buffer.from(payload);
  const header = Buffer.alloc(5);
  header.write(type, 'latin1');
  header.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
}

/** A request to report user and confinement instead of running a command: the runner image has no command. */
function start(confinement: string, user: number): Buffer {
  const payload = Buffer.alloc(START_BYTES);
  payload.write(confinement, 'latin1');
  payload.writeUInt32BE(user, 1);
  payload.writeUInt32BE(TIME_MS, 5);
  payload.writeUInt32BE(OUTPUT_BYTES, 9);
  payload.writeUInt32BE(1 << 20, 13);
  payload.writeUInt8(INSPECT, 17);
  return frame(RECEIVED.START, payload);
}
const variable = (assignment: string) => frame(RECEIVED.VARIABLE, assignment);
const REST = [frame(RECEIVED.WORD, 'inspection'), frame(RECEIVED.GO)];

/** Sends frames to a launcher and collects its response. */
async function answerTo(profile: Profile, frames: readonly Buffer[]) {
  const container = await makeContainer({ runtime, confining, removals }, warmSpec(profile));
  try {
    let output = '';
    const onOutput = (_: string, bytes: Buffer) => void (output += bytes.toString());
    const options = { onOutput, outputLimitBytes: OUTPUT_BYTES, expectsFile: false };
    const reading = readLauncher(container.stream, options, AbortSignal.timeout(20_000));
    await container.start();
    container.stream.write(Buffer.concat(frames));
    const { status, diagnostics } = await reading;
    // A launcher that has finished waits until its stdin closes.
    container.stream.end();
    const { exitCode } = await container.stateOnceEnded();
    return { reason: status?.reason, user: /^uid (\d+)$/m.exec(output)?.[1], exitCode, diagnostics };
  } finally {
    container.discard();
  }
}

const { build: tool, run: program } = profiles;
const GOOD = start(TOOL, BUILDER);
const GOOD_PROGRAM = start(PROGRAM, FIRST_RUNNER);

describe('the launcher runs a command', () => {
  it.each([
    ['the builder, as a tool', tool, TOOL, BUILDER],
    ['the first user of programs, as a program', program, PROGRAM, FIRST_RUNNER],
    ['the last user of programs, as a program', program, PROGRAM, LAST_RUNNER],
  ])('as %s', async (_, profile, confinement, user) => {
    const answer = await answerTo(profile, [start(confinement, user), ...REST]);
    expect(answer).toEqual({ reason: 'exited', user: String(user), exitCode: 0, diagnostics: '' });
  });

  it('with variables from its allowlist', async () => {
    const variables = [
      variable('GPR_CONFIG=/etc/x=y'),
      variable('HOME='),
      variable(`LANG=${'x'.repeat(VARIABLE_BYTES - 'LANG='.length)}`),
    ];
    expect(await answerTo(tool, [GOOD, ...variables, ...REST])).toMatchObject({ reason: 'exited' });
    expect(await answerTo(program, [GOOD_PROGRAM, variable('PATH=/x'), ...REST])).toMatchObject({ reason: 'exited' });
  });
});

describe('the launcher refuses', () => {
  const refusal = (diagnostics: string) => ({
    reason: undefined,
    user: undefined,
    exitCode: REFUSED,
    diagnostics: `launcher: ${diagnostics}: refused\n`,
  });

  it.each([
    ['root, as a tool', tool, TOOL, 0],
    ['root, as a program', program, PROGRAM, 0],
    ['a user of programs, as a tool', tool, TOOL, FIRST_RUNNER],
    ['the builder, as a program', program, PROGRAM, BUILDER],
    ['a user below those of programs', program, PROGRAM, FIRST_RUNNER - 1],
    ['a user above those of programs', program, PROGRAM, LAST_RUNNER + 1],
    ['an invalid user', program, PROGRAM, 0xffff_ffff],
    ['a missing confinement', tool, '\0', BUILDER],
    ['an unknown confinement', tool, 'b', BUILDER],
  ])('%s', async (_, profile, confinement, user) => {
    expect(await answerTo(profile, [start(confinement, user), ...REST])).toEqual(refusal('confinement and user'));
  });

  it.each([
    ['a loader variable for a tool', tool, GOOD, 'LD_PRELOAD=/x'],
    ['a loader variable for a program', program, GOOD_PROGRAM, 'LD_PRELOAD='],
    ['PATH for a tool', tool, GOOD, 'PATH=/x'],
    ['a tool variable for a program', program, GOOD_PROGRAM, 'GLIBC_TUNABLES=x'],
    ['a name with an allowed prefix', tool, GOOD, 'HOMES=/x'],
    ['a prefix of an allowed name', tool, GOOD, 'HOM=/x'],
    ['a variable without a name', tool, GOOD, '=x'],
    ['a variable without a value', tool, GOOD, 'HOME'],
  ])('%s', async (_, profile, first, assignment) => {
    expect(await answerTo(profile, [first, variable(assignment), ...REST])).toEqual(refusal('variable'));
  });

  it.each([
    ['a variable with a NUL', [GOOD, variable('HOME=/x\0LD_PRELOAD=/x')], 'variable with a NUL'],
    ['a variable that is too long', [GOOD, variable(`HOME=${'x'.repeat(VARIABLE_BYTES)}`)], 'length of a variable'],
    ['a variable before START', [variable('HOME=/x'), GOOD], 'frame before START'],
    ['a second START', [GOOD, start(TOOL, BUILDER)], 'START'],
    ['a START of another length', [frame(RECEIVED.START, Buffer.concat([GOOD.subarray(5), Buffer.of(0)]))], 'START'],
  ])('%s', async (_, frames, diagnostics) => {
    expect(await answerTo(tool, [...frames, ...REST])).toEqual(refusal(diagnostics));
  });
});
