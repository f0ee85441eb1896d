/** The number of inputs, their seed, and their outcomes. */
import { randomInt } from 'node:crypto';

import fc from 'fast-check';

import type { FuzzedRoute } from './fuzz-table.js';

export const INPUTS = Number(process.env.FUZZ_INPUTS ?? 100);
const SEED = Number(process.env.FUZZ_SEED ?? randomInt(1e9));
/** Time limit for all inputs and for the start of the services. */
export const timeLimitMs = 300_000 + INPUTS * 50;

/** The kinds of inputs and their shares. */
export const SHARES = { run: 0.3, poll: 0.2, download: 0.17, other: 0.13, raw: 0.12, task: 0.04, reply: 0.04 } as const;
export type Kind = keyof typeof SHARES;

export class FuzzRun {
  private done = 0;
  private hasFailed = false;
  private readonly routes = new Map<string, Map<string, number>>();

  /** `onProgress` is called now and then with the share of inputs tried. */
  constructor(private readonly onProgress: (share: number) => void) {}

  /**
   * Tries a kind's share of inputs in several parallel lanes. Each lane tries one input at a time, so that
   * fast-check can shrink a failing input.
   * `tryOut` resolves with the outcome of an input.
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
      // A failure in another lane is enough.
      if (this.hasFailed) return;
      const outcome = await tryOut(input);
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      this.progress();
    });
    const running = Array.from({ length: Math.min(lanes, all) }, async (_, lane) => {
      const numRuns = Math.floor(all / Math.min(lanes, all)) + (lane < all % lanes ? 1 : 0);
      // Each kind and lane has different inputs.
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
