/** How many inputs a run has, from which seed, and what came of them. */
import { randomInt } from 'node:crypto';

import fc from 'fast-check';

import type { FuzzedRoute } from './fuzz-table.js';

export const INPUTS = Number(process.env.FUZZ_INPUTS ?? 100);
const SEED = Number(process.env.FUZZ_SEED ?? randomInt(1e9));
/** For each input, and for whatever the first ones wait for. */
export const timeLimitMs = 300_000 + INPUTS * 50;

/** What kinds of inputs there are, and each one's share of them. */
export const SHARES = { run: 0.3, poll: 0.2, download: 0.17, other: 0.13, raw: 0.12, task: 0.04, reply: 0.04 } as const;
export type Kind = keyof typeof SHARES;

export class FuzzRun {
  private done = 0;
  private hasFailed = false;
  private readonly routes = new Map<string, Map<string, number>>();

  /** `onProgress` hears now and then which share of all inputs has been tried. */
  constructor(private readonly onProgress: (share: number) => void) {}

  /**
   * Tries a kind's share of all inputs in some lanes at the same time, each of them one by one, so
   * that a failure is of one input and can be shrunk. `tryOut` resolves with what came of an input.
   */
  async fuzz<T>(
    kind: Kind,
    lanes: number,
    inputs: fc.Arbitrary<T>,
    tryOut: (input: T) => Promise<string>,
  ): Promise<void> {
    const all = Math.max(1, Math.round(INPUTS * SHARES[kind]));
    const counts = new Map<string, number>();
    this.routes.set(kind, counts);
    const property = fc.asyncProperty(inputs, async (input) => {
      // What has failed elsewhere is enough to tell.
      if (this.hasFailed) return;
      const outcome = await tryOut(input);
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      this.progress();
    });
    const running = Array.from({ length: Math.min(lanes, all) }, async (_, lane) => {
      const numRuns = Math.floor(all / Math.min(lanes, all)) + (lane < all % lanes ? 1 : 0);
      // Each kind and lane has inputs of its own.
      const seed = SEED + lane + 100 * Object.keys(SHARES).indexOf(kind);
      const details = await fc.check(property, { numRuns, seed });
      if (!details.failed) return;
      this.hasFailed = true;
      throw new Error(`--inputs ${INPUTS} --seed ${SEED} does it again:\n${fc.defaultReportMessage(details)}`, {
        cause: details.errorInstance,
      });
    });
    await Promise.all(running);
  }

  private progress(): void {
    const step = Math.ceil(INPUTS / 400);
    if (++this.done % step === 0) this.onProgress(this.done / INPUTS);
  }

  results(): FuzzedRoute[] {
    return [...this.routes].map(([name, counts]) => ({ name, outcomes: Object.fromEntries([...counts].sort()) }));
  }
}
