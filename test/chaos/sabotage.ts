/** Builds of the service that break a promise each: what the chaos run must catch, or it proves nothing. */
import { cpSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ChaosResult } from './run.js';
import type { ScheduledFault } from './schedule.js';

export interface Sabotage {
  readonly name: string;
  readonly tasks: number;
  readonly faults: () => Iterator<ScheduledFault, unknown>;
  /** Where it has to show. */
  readonly shows: 'lost' | 'doubled' | 'leaked';
  /** In the worker. */
  readonly find: string;
  readonly replace: string;
}

const noFaults = () => ([] as ScheduledFault[]).values();

function* kills(): Generator<ScheduledFault, never> {
  for (let victim = 0; ; victim++) yield { name: 'worker SIGKILL', afterMs: 1_000, victim };
}

export const SABOTAGES: readonly Sabotage[] = [
  {
    name: 'a task is acknowledged before the work',
    // Enough for several kills: one alone can strike a worker that has no task.
    tasks: 24,
    faults: kills,
    shows: 'lost',
    find: 'async work(channel, message, replies, signal) {',
    replace: `async work(channel, message, replies, signal) {
        channel.ack(message);
        channel = { ack() {}, reject() {} };`,
  },
  {
    name: 'the final message is published twice',
    tasks: 4,
    faults: noFaults,
    shows: 'doubled',
    find: 'await this.replies.publish({ version: MESSAGE_VERSION, kind: "final", attempt, items, ...end });',
    replace: 'for (let i = 0; i < 2; i++) await this.replies.publish({ version: MESSAGE_VERSION, kind: "final", attempt, items, ...end });',
  },
  {
    name: 'containers are not removed',
    tasks: 4,
    faults: noFaults,
    shows: 'leaked',
    find: '  async #remove(nameOrId, retries = this.retriesMs) {\n',
    replace: '  async #remove(nameOrId, retries = this.retriesMs) {\n    if (nameOrId) return true;\n',
  },
];

export const isCaught = ({ shows }: Sabotage, result: ChaosResult): boolean => result[shows].length > 0;

/** A copy of what a build runs, with one thing changed in the worker; resolves to its root. */
export function sabotagedBuild({ find, replace }: Sabotage, checkout: string, folder: string): string {
  for (const app of readdirSync(join(checkout, 'apps'))) {
    for (const part of ['dist/bundle', 'package.json']) cpSync(join(checkout, 'apps', app, part), join(folder, 'apps', app, part), { recursive: true });
  }
  const path = join(folder, 'apps/worker/dist/bundle/main.js');
  const before = readFileSync(path, 'utf8');
  if (before.split(find).length !== 2) throw new Error(`the worker has not once: ${find}`);
  writeFileSync(path, before.replace(find, () => replace));
  return folder;
}
