/**
 * Proofs, up to the status and messages that a client sees. A stand-in (test/images/gnatprove-stand-in) repeats
 * the recorded output of a real gnatprove.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { Mode } from '@code-widgets/project';

import { environment } from '../helpers/environment.js';
import { eventually } from '../helpers/eventually.js';
import {
  otherRecordings,
  recordingOf,
  recordings,
  sourcesOf,
  textOf,
  type Recording,
} from '../images/gnatprove-stand-in/recordings.js';
import { buildStandIn, removeStandIns, type Generation } from '../images/gnatprove-stand-in/stand-in-images.js';
import { containers, createProver, docker, namespace, type Prover } from './prove-harness.js';

const BUILD_MS = 120_000;
const TEST_MS = 60_000;
/** Time in which used containers are removed and other launchers become ready. */
const SETTLED_MS = 4_000;
/** Number of concurrent proofs. */
const CONCURRENCY = 4;

const UP_TO_13 = 'gnatprove -P main.gpr --checks-as-errors --level=0 --no-axiom-guard';
const FROM_14 = 'gnatprove -P main.gpr --checks-as-errors=on --level=0 --function-sandboxing=off';
const MODES: readonly (readonly [Mode, string])[] = [
  ['prove', ''],
  ['prove_flow', ' --mode=flow'],
  ['prove_report_all', ' --report=all'],
  ['prove_flow_report_all', ' --mode=flow --report=all'],
];
const HELP = 'gnatprove --help';

/** Resolves when a warm proof container exists; used containers are removed sooner. */
async function proverWaits(): Promise<void> {
  let before: string[] = [];
  await eventually(
    'a container that proves waits',
    async () => {
      const now = await runningProvers();
      const waits = now.some((id) => before.includes(id));
      before = now;
      return waits;
    },
    { limitMs: 50_000, everyMs: SETTLED_MS },
  );
}

async function runningProvers(): Promise<string[]> {
  const found = await Promise.all(
    (await containers()).map((name) =>
      docker
        .getContainer(name.slice(1))
        .inspect()
        .catch(() => undefined),
    ),
  );
  return found.flatMap((each) => (each?.HostConfig.IpcMode === 'private' && each.State.Running ? [each.Id] : []));
}

/** A project that the stand-in recognizes by its source name. */
const special = (basename: string) => [{ basename, contents: 'procedure Special is null;\n' }];

describe('with a stand-in for gnatprove', () => {
  let prover13: Prover;
  let prover14: Prover;

  beforeAll(async () => {
    const options = { base: environment('SANDBOX_IMAGE'), namespace };
    prover13 = createProver(await buildStandIn(docker, 13, options));
    prover14 = createProver(await buildStandIn(docker, 14, options));
  }, BUILD_MS);

  afterAll(async () => {
    await Promise.all([prover13, prover14].map((prover) => prover?.close()));
    await removeStandIns(docker, namespace);
    expect(await containers()).toEqual([]);
  }, BUILD_MS);

  test(
    'asks the image for its gnatprove generation once',
    async () => {
      const sources = sourcesOf(recordingOf('overflow', 'prove'));
      await Promise.all([prover13.prove('prove', sources), prover13.prove('prove_flow', sources)]);
      await prover13.prove('prove', sources);
      const [first, ...proofs] = prover13.commands.map((words) => words.join(' '));
      expect(first).toBe(HELP);
      // The first two arrive in any order.
      expect(proofs.toSorted()).toEqual([UP_TO_13, UP_TO_13, `${UP_TO_13} --mode=flow`]);
    },
    TEST_MS,
  );

  test(
    'asks again after the image name moves to a new image',
    async () => {
      const [repo, tag] = ['gnatprove-stand-in', `${namespace}-moving`];
      const moveTo = (generation: Generation) =>
        docker.getImage(`${repo}:${namespace}-${generation}`).tag({ repo, tag });
      await moveTo(13);
      const prover = createProver(`${repo}:${tag}`, { maxWarm: 2 });
      try {
        const recording = recordingOf('proved', 'prove');
        expect((await prover.prove('prove', sourcesOf(recording))).text('console')).toBe(UP_TO_13);
        await proverWaits();
        await moveTo(14);
        const { text, end } = await prover.prove('prove', sourcesOf(recording));
        // gnatprove reports an error for switches of another generation.
        expect([text('console'), text('stdout'), end.status]).toEqual([FROM_14, textOf(recording, 'stdout'), 0]);
      } finally {
        await prover.close();
      }
    },
    TEST_MS,
  );

  test.each(MODES)(
    'up to 13, %s: announces and runs its own command',
    async (mode, extra) => {
      const recording = recordingOf('overflow', mode);
      const { text, end } = await prover13.prove(mode, sourcesOf(recording));
      expect(text('console')).toBe(UP_TO_13 + extra);
      expect(prover13.commands.at(-1)?.join(' ')).toBe(UP_TO_13 + extra);
      expect(end.status).toBe(recording.status);
    },
    TEST_MS,
  );

  test.each(MODES)(
    'from 14, %s: announces and runs its own command',
    async (mode, extra) => {
      const recording = recordingOf('overflow', mode);
      const { text, end } = await prover14.prove(mode, sourcesOf(recording));
      expect(text('console')).toBe(FROM_14 + extra);
      expect(prover14.commands.at(-1)?.join(' ')).toBe(recording.argv.join(' '));
      expect(end.status).toBe(recording.status);
    },
    TEST_MS,
  );

  test.each(MODES)(
    '%s: output and status of each project match the recording',
    async (mode) => {
      const waiting = recordings.filter((recording) => recording.mode === mode);
      expect(waiting).toHaveLength(16);
      const differences: unknown[] = [];
      const work = async () => {
        for (let next = waiting.pop(); next; next = waiting.pop()) {
          const proof = await prover14.prove(mode, sourcesOf(next));
          const seen = { stdout: proof.text('stdout'), stderr: proof.text('stderr'), status: proof.end.status };
          const expected = { stdout: textOf(next, 'stdout'), stderr: textOf(next, 'stderr'), status: next.status };
          if (JSON.stringify(seen) !== JSON.stringify(expected))
            differences.push({ project: next.project.name, expected, seen });
        }
      };
      await Promise.all(Array.from({ length: CONCURRENCY }, work));
      expect(differences).toEqual([]);
    },
    TEST_MS,
  );

  test.each(otherRecordings.map((recording) => [recording.argv.slice(3).join(' '), recording] as const))(
    'from 14: %s ends as recorded',
    async (_, recording: Recording) => {
      expect(await prover14.call(recording.argv, recording.project.files)).toEqual({
        stdout: textOf(recording, 'stdout'),
        stderr: textOf(recording, 'stderr'),
        status: recording.status,
      });
    },
    TEST_MS,
  );

  test(
    'up to 13: reports switches of the newer generation as an error',
    async () => {
      const { stderr, status } = await prover13.call(
        FROM_14.split(' '),
        recordingOf('overflow', 'prove').project.files,
      );
      expect(stderr).toMatch(/^gnatprove: unrecognized option/);
      expect(status).toBe(1);
    },
    TEST_MS,
  );

  test(
    'shows output while the proof runs',
    async () => {
      const { beforeEndMs, items } = await prover14.prove('prove', sourcesOf(recordingOf('proved', 'prove')));
      // The announcement, then each phase. From the first phase to the last line takes 0.7 s, a twentieth of the
      // recorded time.
      expect(items[0]?.msg.type).toBe('console');
      expect(beforeEndMs.length).toBeGreaterThanOrEqual(4);
      expect(beforeEndMs[1]).toBeGreaterThan(400);
    },
    TEST_MS,
  );

  test(
    'ends a proof at its time limit with status 124 and a message',
    async () => {
      const { text, end } = await prover14.prove('prove', special('hang.adb'), { proveMs: 1_500 });
      expect(text('stdout')).toMatch(/^Phase 1 of 3/);
      expect(text('stderr')).toBe('<interrupted> : Maximum 1.5s proof limit reached.');
      expect(end).toMatchObject({ state: 'SUCCESS', status: 124 });
    },
    TEST_MS,
  );

  test(
    'reports the memory limit with status 137 if a helper is killed and gnatprove ends with 1',
    async () => {
      const { text, end } = await prover14.prove('prove', special('hog.adb'));
      expect(text('stderr')).toMatch(/GNAT BUG DETECTED[^]*\n<interrupted> : Maximum 1024 MiB memory limit reached\.$/);
      expect(end).toMatchObject({ state: 'SUCCESS', status: 137 });
    },
    TEST_MS,
  );

  test(
    'ends a proof at its output limit with status 153 and keeps the output before it',
    async () => {
      const { text, end } = await prover14.prove('prove', special('flood.adb'));
      const words = '<interrupted> : Maximum 1 MiB output limit reached.';
      expect(text('stderr').endsWith(words)).toBe(true);
      expect(Buffer.byteLength(text('stdout') + text('stderr')) - words.length).toBe(1 << 20);
      expect(end).toMatchObject({ state: 'SUCCESS', status: 153 });
    },
    TEST_MS,
  );

  test(
    'leaves nothing from one proof to the next',
    async () => {
      const litter = await prover14.prove('prove', special('litter.adb'));
      expect(litter.text('stdout')).toMatch(/left: a semaphore, a socket, a folder, processes\n$/);
      expect(litter.end.status).toBe(0);
      // It inspects its container first, and reports traces of an earlier proof.
      const next = await prover14.prove('prove', sourcesOf(recordingOf('proved', 'prove')));
      expect(next.text('stderr')).toBe('');
      expect(next.end.status).toBe(0);
    },
    TEST_MS,
  );
});

/** The run's own image contains gnatprove only if that was available. Both cases are tested. */
describe('with the image of this run', () => {
  const prover = createProver(environment('SANDBOX_IMAGE'));
  let hasGnatprove: boolean;

  beforeAll(async () => {
    // Uses a shell, not the detection under test.
    const found = await prover.call(['sh', '-c', 'command -v gnatprove'], []);
    hasGnatprove = found.status === 0;
  }, TEST_MS);

  afterAll(async () => {
    await prover.close();
    expect(await containers()).toEqual([]);
  }, TEST_MS);

  test.each(MODES)(
    '%s: proves as recorded, or reports that gnatprove is missing',
    async (mode, extra) => {
      const recording = recordingOf('overflow', mode);
      const { items, text, end } = await prover.prove(mode, sourcesOf(recording));
      expect([UP_TO_13 + extra, FROM_14 + extra]).toContain(text('console'));
      if (hasGnatprove) {
        expect(text('stdout')).toContain('Summary logged in gnatprove/gnatprove.out\n');
        const message = 'medium: overflow check might fail';
        expect(text('stderr').includes(message)).toBe(textOf(recording, 'stderr').includes(message));
        expect(end).toMatchObject({ state: 'SUCCESS', status: recording.status });
      } else {
        const words = 'This installation has no gnatprove: programs can be run here, but not proved.';
        expect(items.slice(1)).toEqual([{ msg: { type: 'stderr', data: words } }]);
        expect(end).toMatchObject({ state: 'SUCCESS', status: 127 });
      }
    },
    TEST_MS * 2,
  );
});
